// Tame is the program that the tests of tmsupervise have it keep: it does as
// its first argument says.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	verb, args := os.Args[1], os.Args[2:]
	switch verb {
	case "find":
		find(args[0])
	case "hold":
		hold(args[0])
	case "notify":
		notify(args)
	}
	wait()
}

// wait ends with code 0 on SIGTERM.
func wait() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	<-told
	os.Exit(0)
}

// hold takes a lock that only one living copy can have. A second one leaves
// its trace in FILE.second. A child that inherits the descriptor is none.
func hold(file string) {
	fd, err := syscall.Open(file, syscall.O_RDWR|syscall.O_CREAT|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		os.Exit(4)
	}
	if syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		os.WriteFile(file+".second", nil, 0o644)
		os.Exit(5)
	}
	os.WriteFile(file+".pid", fmt.Appendln(nil, os.Getpid()), 0o644)
}

// notify sends each argument as a datagram to NOTIFY_SOCKET; "wait" waits for
// the file that follows, without which the next is not sent, and "become"
// turns into the user whose number follows.
func notify(args []string) {
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "wait":
			i++
			for _, err := os.Stat(args[i]); err != nil; _, err = os.Stat(args[i]) {
				time.Sleep(5 * time.Millisecond)
			}
			continue
		case "become":
			i++
			uid, _ := strconv.Atoi(args[i])
			if syscall.Setuid(uid) != nil {
				os.Exit(7)
			}
			continue
		}
		// A socket for each, as libsystemd has it: the other end may be
		// another helper's by now.
		conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
		if err != nil {
			os.Exit(6)
		}
		conn.Write([]byte(args[i]))
		conn.Close()
	}
}

// find writes what the program was given, as far as the Go runtime leaves it
// as it was.
func find(file string) {
	var out strings.Builder
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		key, value, _ := strings.Cut(line, ":\t")
		switch key {
		case "SigBlk", "SigIgn", "NoNewPrivs", "Uid", "Gid", "Groups":
			fmt.Fprintln(&out, strings.Join(strings.Fields(key+" "+value), " "))
		}
	}
	session, _, _ := syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
	fmt.Fprintf(&out, "leads its session %v, its group %v\n", int(session) == os.Getpid(), syscall.Getpgrp() == os.Getpid())
	mask := syscall.Umask(0)
	fmt.Fprintf(&out, "umask %03o\n", mask)
	dir, _ := filepath.Abs(".")
	fmt.Fprintf(&out, "dir %s\n", dir)
	score, _ := os.ReadFile("/proc/self/oom_score_adj")
	fmt.Fprintf(&out, "oom_score_adj %s\n", strings.TrimSpace(string(score)))
	nice, _ := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	fmt.Fprintf(&out, "nice %d\n", 20-nice) // getpriority(2): the system call gives 20-nice
	env := os.Environ()
	sort.Strings(env)
	for _, entry := range env {
		fmt.Fprintf(&out, "env %s\n", entry)
	}
	os.WriteFile(file+".new", []byte(out.String()), 0o644)
	os.Rename(file+".new", file)
}
