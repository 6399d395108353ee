// Package record is the account that the programs of the fault tests keep of
// themselves, beyond the reach of whatever kills their keepers, and the checks
// that are made of it.
//
// In a directory of the test's own there are, for an instance web:0,
//
//	web:0.lock        held by flock(2) as long as any process of its tree lives
//	web:0.lives       a line for each life: the token of the process
//	web:0.TOKEN.said  how many numbered lines that life has written
//	overlap           a line for each life that found the lock taken
//
// A token is the pid and the start time of a process: no two lives share one.
package record

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"taskmaster/lib/procfs"

	"golang.org/x/sys/unix"
)

// A Life is the account of one process, kept by itself.
type Life struct {
	Name  string
	Token string
	said  *os.File
	lines int
}

// ErrOverlap says that another copy of the instance, or something it left,
// is still alive.
var ErrOverlap = errors.New("another copy lives")

// Begin enters the calling process as a life of the instance. The lock is
// left open for the process's children, so that it stands for the whole tree.
func Begin(dir, name string) (*Life, error) {
	s, err := procfs.ReadStat(os.Getpid())
	if err != nil {
		return nil, err
	}
	l := &Life{Name: name, Token: strconv.Itoa(s.PID) + "-" + strconv.FormatUint(s.Start, 10)}
	if err := appendLine(dir+"/"+name+".lives", l.Token); err != nil {
		return nil, err
	}
	lock, err := unix.Open(dir+"/"+name+".lock", unix.O_RDWR|unix.O_CREAT, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(lock, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		appendLine(dir+"/overlap", name+" "+l.Token)
		return nil, ErrOverlap
	}
	if l.said, err = os.Create(dir + "/" + name + "." + l.Token + ".said"); err != nil {
		return nil, err
	}
	return l, nil
}

func appendLine(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text + "\n")
	return err
}

// Say writes the next numbered line and then notes that it did: of a life
// that is killed in between, one more line is found than it knows of.
func (l *Life) Say(to *os.File) error {
	if _, err := fmt.Fprintf(to, "%s %s %d\n", l.Name, l.Token, l.lines+1); err != nil {
		return err
	}
	l.lines++
	_, err := l.said.WriteAt([]byte(strconv.Itoa(l.lines)), 0)
	return err
}

// Overlaps are the lives that found another copy alive.
func Overlaps(dir string) []string { return lines(dir + "/overlap") }

// Lives are the tokens of all lives of an instance, oldest first.
func Lives(dir, name string) []string { return lines(dir + "/" + name + ".lives") }

// lines of a file; the last one counts only with its newline.
func lines(path string) []string {
	text, _ := os.ReadFile(path)
	all := strings.Split(string(text), "\n")
	return all[:len(all)-1]
}

// PID is that of a token.
func PID(token string) int {
	pid, _, _ := strings.Cut(token, "-")
	n, _ := strconv.Atoi(pid)
	return n
}

// Said is how many lines a life knows to have written.
func Said(dir, name, token string) int {
	text, _ := os.ReadFile(dir + "/" + name + "." + token + ".said")
	n, _ := strconv.Atoi(string(text))
	return n
}

// A Book is what is found in logs: for each life the numbers of its lines.
type Book map[string][]int

// Read adds the numbered lines of log files to the book. Lines of another
// form, and words before the instance's name (a stamp), are passed over.
func (b Book) Read(files ...string) error {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, line := range strings.Split(string(text), "\n") {
			words := strings.Fields(line)
			if len(words) < 3 {
				continue
			}
			words = words[len(words)-3:]
			n, err := strconv.Atoi(words[2])
			if err == nil && strings.Contains(words[1], "-") {
				key := words[0] + " " + words[1]
				b[key] = append(b[key], n)
			}
		}
	}
	return nil
}

// Check returns what is wrong with the lines of an instance: a missing one,
// one out of its order, or (unless twice is true) one that stands there twice.
// The lives of excused tokens may miss lines at their end.
func (b Book) Check(dir, name string, twice bool, excused map[string]bool) []string {
	var wrong []string
	for _, token := range Lives(dir, name) {
		said, next := Said(dir, name, token), 1
		for _, n := range b[name+" "+token] {
			switch {
			case n == next:
				next++
			case n < next && twice:
			case n < next:
				wrong = append(wrong, fmt.Sprintf("%s %s: line %d again or out of order", name, token, n))
			default:
				wrong = append(wrong, fmt.Sprintf("%s %s: lines %d to %d are missing", name, token, next, n-1))
				next = n + 1
			}
		}
		if found := next - 1; found < said && !excused[token] {
			wrong = append(wrong, fmt.Sprintf("%s %s: lines %d to %d are missing at the end", name, token, next, said))
		}
	}
	return wrong
}

// OldestFirst sorts the backups of a log, FILE.1 being the newest, in the
// order of their lines.
func OldestFirst(files []string) []string {
	number := func(file string) int {
		n, _ := strconv.Atoi(file[strings.LastIndexByte(file, '.')+1:])
		return n
	}
	slices.SortFunc(files, func(a, b string) int { return number(b) - number(a) })
	return files
}
