package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"syscall"

	"taskmaster/lib/procfs"
	"taskmaster/lib/spec"

	"golang.org/x/sys/unix"
)

// find returns the path to execute: the first word of cmd, searched in the
// program's PATH (else the helper's, which is tmd's) when it has no slash.
func find(s *spec.Spec) (string, *ending) { return findWord(s, s.Cmd[0]) }

func findWord(s *spec.Spec, name string) (string, *ending) {
	if strings.IndexByte(name, '/') >= 0 {
		return name, nil
	}
	path, ok := s.Getenv("PATH")
	if !ok {
		path = os.Getenv("PATH")
	}
	refusedFile := ""
	for _, dir := range strings.Split(path, ":") {
		if dir == "" {
			dir = "."
		}
		file := dir + "/" + name
		var st unix.Stat_t
		if unix.Stat(inDir(s, file), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			continue
		}
		if st.Mode&0o111 != 0 {
			return file, nil
		}
		refusedFile = file
	}
	if refusedFile != "" {
		return "", refused("execute "+refusedFile, "not executable")
	}
	return "", refused("execute "+name, "no such file in PATH "+path)
}

// inDir is where a path leads once the program's directory is entered.
func inDir(s *spec.Spec, path string) string {
	if s.Dir == "" || strings.HasPrefix(path, "/") {
		return path
	}
	return s.Dir + "/" + path
}

// culprit names what made fork and exec fail. Their errno does not tell:
// ENOENT may mean the directory, the file or the file's interpreter. They are
// tried in the order in which the kernel met them.
func culprit(s *spec.Spec, path string, errno syscall.Errno) *ending {
	if isShortage(errno) {
		return failure("start "+path, errno)
	}
	if errno == unix.EBADF && s.Ready.Kind == spec.Notify {
		return beyondLimit(s.Ready.FD)
	}
	if s.Dir != "" {
		if fail := badDirectory(s.Dir); fail != nil {
			return fail
		}
	}
	file := inDir(s, path)
	if fail := badFile(path, file); fail != nil {
		return fail
	}
	what := "execute " + path
	if errno == unix.ENOEXEC {
		return refused(what, noProgram(file))
	}
	if name := interpreter(file); name != "" {
		what += ": bad interpreter " + name
		if strings.HasSuffix(name, "\r") {
			return refused(strings.TrimSuffix(what, "\r"), "its line ends in CR LF")
		}
		if fail := badFile(name, inDir(s, name)); fail != nil {
			_, why, _ := strings.Cut(fail.reason, name+": ")
			return refused(what, why)
		}
	}
	return failure("execute "+path, errno)
}

// beyondLimit is why a program did not get the descriptor of ready.
func beyondLimit(fd int) *ending {
	return refused("open descriptor "+strconv.Itoa(fd)+" for ready", "beyond the limit nofile")
}

func refused(what, why string) *ending {
	return &ending{reason: "cannot " + what + ": " + why}
}

func badDirectory(dir string) *ending {
	what := "change to directory " + dir
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return failure(what, err.(syscall.Errno))
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return failure(what, unix.ENOTDIR)
	}
	if unix.Access(dir, unix.X_OK) != nil {
		return failure(what, unix.EACCES)
	}
	return nil
}

// badFile tells why a file, called name to people, cannot be executed.
func badFile(name, file string) *ending {
	what := "execute " + name
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return failure(what, err.(syscall.Errno))
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return refused(what, "is a directory")
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return refused(what, "not a regular file")
	case st.Mode&0o111 == 0:
		return refused(what, "not executable")
	}
	return nil
}

// noProgram says in what way a file is none that the kernel can execute.
func noProgram(file string) string {
	head, err := procfs.ReadFile(file, 4)
	switch {
	case err == nil && len(head) == 0:
		return "the file is empty"
	case string(head) == "\x7fELF":
		return "a program for another kind of machine, or a damaged one"
	}
	return "not a program (no #! line)"
}

// interpreter returns what the kernel needs besides the file to execute it:
// what its #! line names, or the loader of a dynamic ELF program; "" for none.
func interpreter(file string) string {
	head, err := procfs.ReadFile(file, 4096)
	if err != nil {
		return ""
	}
	if words := shebang(head); len(words) > 0 {
		return words[0]
	}
	return loader(head)
}

// shebang returns the words of a #! line (execve(2)).
func shebang(head []byte) []string {
	rest, ok := bytes.CutPrefix(head, []byte("#!"))
	if !ok {
		return nil
	}
	first, _, _ := bytes.Cut(rest, []byte("\n"))
	return strings.FieldsFunc(string(first), func(c rune) bool { return c == ' ' || c == '\t' })
}

// loader returns what the PT_INTERP segment of a 64-bit ELF file of this
// machine's byte order names (elf(5)), if that lies near its beginning, where
// every linker puts it.
func loader(head []byte) string {
	const phoff, phentsize, phnum, typeInterp = 32, 54, 56, 3
	if len(head) < 64 || !bytes.HasPrefix(head, []byte("\x7fELF\x02")) {
		return ""
	}
	order := binary.NativeEndian
	at, size := order.Uint64(head[phoff:]), uint64(order.Uint16(head[phentsize:]))
	for n := order.Uint16(head[phnum:]); n > 0; n-- {
		if size < 56 || at > uint64(len(head)) || uint64(len(head))-at < size {
			return ""
		}
		segment := head[at:]
		if order.Uint32(segment) == typeInterp {
			if offset := order.Uint64(segment[8:]); offset < uint64(len(head)) {
				path, _, _ := bytes.Cut(head[offset:], []byte{0})
				return string(path)
			}
		}
		at += size
	}
	return ""
}

// programFiles are the real paths that /proc/PID/exe may show for the spec's
// program: its file and, for a script, its interpreter, also one that it
// reaches by env(1).
func programFiles(s *spec.Spec) []string {
	path, fail := find(s)
	if fail != nil {
		return nil
	}
	file := inDir(s, path)
	found := []string{realPath(file)}
	head, err := procfs.ReadFile(file, 4096)
	if err != nil {
		return found
	}
	for _, word := range shebang(head) {
		if named, fail := findWord(s, word); fail == nil {
			found = append(found, realPath(inDir(s, named)))
		}
	}
	return found
}

func realPath(path string) string {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return path
	}
	defer unix.Close(fd)
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlink("/proc/self/fd/"+strconv.Itoa(fd), buf)
	if err != nil {
		return path
	}
	return string(buf[:n])
}
