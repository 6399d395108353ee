package main

import (
	"taskmaster/lib/safepath"
	"taskmaster/lib/spec"

	"golang.org/x/sys/unix"
)

// stageLogs are the logs of a program with another user: one whose path only
// root or tmd's user can change is opened with their rights, any other with
// the program's own and through no link of its last part.
type stageLogs struct {
	fds  [2]int
	late [2]bool
}

func openEarly(st *stage) *stageLogs {
	logs := &stageLogs{fds: [2]int{-1, -1}}
	for i, o := range []spec.Output{st.spec.Stdout, st.spec.Stderr} {
		if o.Path == "" {
			continue
		}
		if o.Kind == spec.Log || safepath.Trusted(o.Path) {
			logs.open(st, i, o, 0)
		} else {
			logs.late[i] = true
		}
	}
	return logs
}

func (l *stageLogs) openLate(st *stage) {
	for i, o := range []spec.Output{st.spec.Stdout, st.spec.Stderr} {
		if l.late[i] {
			l.open(st, i, o, unix.O_NOFOLLOW)
		}
	}
}

func (l *stageLogs) open(st *stage, i int, o spec.Output, flags int) {
	fd, err := openOutput(o, flags)
	st.check("open", err, o.Path)
	l.fds[i] = fd
}

func (l *stageLogs) install(st *stage) {
	for i, fd := range l.fds {
		if fd >= 0 {
			st.check("open", unix.Dup3(fd, i+1, 0), "")
		}
	}
	if st.spec.Stderr.Kind == spec.SameAsOut {
		st.check("open", unix.Dup3(1, 2, 0), "")
	}
}
