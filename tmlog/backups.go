package main

import (
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// compressedSuffix ends the name of a rotated file that -z has been through.
const compressedSuffix = ".gz"

// Backups are the rotated files FILE.1, the newest, and upward, each as it is
// or compressed as FILE.N.gz. What exists in the directory is the only record
// of them, so there is nothing that a crash could leave in disagreement.
type backups struct {
	path string // of FILE
}

// A backup is one rotated file.
type backup struct {
	number     int
	compressed bool
	path       string
}

func (b backups) name(number int, compressed bool) string {
	name := b.path + "." + strconv.Itoa(number)
	if compressed {
		name += compressedSuffix
	}
	return name
}

// list returns the rotated files, newest first.
func (b backups) list() ([]backup, error) {
	dir, err := os.Open(filepath.Dir(b.path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all []backup
	prefix := filepath.Base(b.path) + "."
	for _, name := range names {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			if number, compressed, ok := parseNumber(rest); ok {
				all = append(all, backup{number, compressed, b.name(number, compressed)})
			}
		}
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].number != all[j].number {
			return all[i].number < all[j].number
		}
		return all[i].compressed
	})
	return all, nil
}

// parseNumber reads the end of a rotated file's name, "12" or "12.gz". What
// name would not write, as "012", is some other file.
func parseNumber(text string) (number int, compressed, ok bool) {
	digits, compressed := strings.CutSuffix(text, compressedSuffix)
	number, err := strconv.Atoi(digits)
	ok = err == nil && number > 0 && number < 1<<30 && strconv.Itoa(number) == digits
	return number, compressed, ok
}

// shift makes FILE.1 free by moving each file up by one number, the oldest
// first, up to the first number that is free already. A crash between two of
// the renames leaves such a free number, which the next shift fills: no file
// is lost or out of order at any moment.
func (b backups) shift() error {
	all, err := b.list()
	if err != nil {
		return err
	}
	run := 0 // all[:run] have the numbers 1, 2, 3 ... without a gap
	for next := 1; run < len(all) && all[run].number <= next; run++ {
		next = all[run].number + 1
	}
	for i := run - 1; i >= 0; i-- {
		crashPoint("shift")
		if err := unix.Rename(all[i].path, b.name(all[i].number+1, all[i].compressed)); err != nil {
			return err
		}
	}
	return nil
}

// trim deletes the oldest files beyond keep in number or beyond total bytes
// together; a total of 0 is no limit.
func (b backups) trim(keep int, total int64) error {
	all, err := b.list()
	if err != nil {
		return err
	}
	numbers, last, sum := 0, 0, int64(0)
	for _, file := range all {
		if file.number != last {
			numbers, last = numbers+1, file.number
		}
		var st unix.Stat_t
		if unix.Lstat(file.path, &st) == nil {
			sum += st.Size
		}
		if numbers <= keep && (total == 0 || sum <= total) {
			continue
		}
		crashPoint("trim")
		if failed := unlinkAside(file.path); failed != nil && failed != unix.ENOENT {
			err = failed
		}
	}
	return err
}

// unlinkAside takes away the name of a file at once, and its content beside
// the main loop: freeing 10 MB of page cache takes longer than writing one.
func unlinkAside(path string) error {
	held, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return unix.Unlink(path)
	}
	err = unix.Unlink(path)
	go unix.Close(held) // the last reference: the file is freed here
	return err
}

// dropOldest deletes the oldest rotated file and says whether there was one.
// Its space is free when it returns.
func (b backups) dropOldest() bool {
	all, err := b.list()
	for i := len(all) - 1; i >= 0 && err == nil; i-- {
		if unix.Unlink(all[i].path) == nil {
			return true
		}
	}
	return false
}
