// Temper is the program that the fault tests supervise: it keeps an account
// of itself (package record) and behaves as its options say.
//
//	temper -home DIR [-every DUR] [-life DUR] [-code N] [-deaf] [-brood KIND=N] ...
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"taskmaster/test/faults/record"

	"golang.org/x/sys/unix"
)

var (
	home   = flag.String("home", "", "keep the account in this directory")
	every  = flag.Duration("every", 0, "write a numbered line this often")
	flood  = flag.Int("flood", 0, "write so many numbered lines at once at the start")
	life   = flag.Duration("life", 0, "exit after this time")
	code   = flag.Int("code", 0, "exit code")
	deaf   = flag.Bool("deaf", false, "ignore SIGTERM")
	brood  = flag.String("brood", "", "start children: plain=N, session=N (setsid), orphan=N (setsid, double fork), bare=N (the same without environment), headless=N (their first thread ends), heavy=N (setsid, 256 MB)")
	ready  = flag.Int("ready", 0, "say on this descriptor that we are ready")
	mute   = flag.Bool("mute", false, "close standard output and error")
	cgroup = flag.String("cgroup", "", "write our pid to this cgroup.procs first")
	eat    = flag.Int("eat", 0, "then use so many MB of memory")
	child  = flag.Bool("child", false, "be one of the brood: wait for a signal")
	head   = flag.Bool("headless", false, "the same, but let the first thread end")
	middle = flag.Bool("middle", false, "start one of the brood and exit")
)

func main() {
	flag.Parse()
	if *middle {
		startChild("-child", false)
		return
	}
	if *head {
		loseHead()
	}
	if *child {
		devour(*eat)
		for {
			unix.Pause()
		}
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "temper:", err)
		os.Exit(99)
	}
	os.Exit(*code)
}

func init() { runtime.LockOSThread() } // main is the first thread

// loseHead ends the first thread: the process is a zombie to look at, but its
// other threads live on, with its descriptors and locks.
func loseHead() {
	go func() {
		for {
			unix.Pause()
		}
	}()
	unix.Syscall(unix.SYS_EXIT, 0, 0, 0)
}

func run() error {
	if *deaf {
		signal.Ignore(syscall.SIGTERM)
	}
	account, err := record.Begin(*home, os.Getenv("TM_NAME"))
	if err != nil {
		return err
	}
	if err := hatch(*brood); err != nil {
		return err
	}
	if *ready > 0 {
		if _, err := os.NewFile(uintptr(*ready), "ready").WriteString("\n"); err != nil {
			return err
		}
	}
	if *mute {
		os.Stdout.Close()
		os.Stderr.Close()
	}
	for range *flood {
		if err := account.Say(os.Stdout); err != nil {
			return err
		}
	}
	if *cgroup != "" {
		if err := os.WriteFile(*cgroup, []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
			return err
		}
	}
	devour(*eat)
	return live(account)
}

// live writes lines until the end comes.
func live(account *record.Life) error {
	// A handler makes waiting for nothing but a signal no deadlock.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1)
	var end, beat <-chan time.Time
	if *life > 0 {
		end = time.After(*life)
	}
	if *every > 0 {
		beat = time.Tick(*every)
	}
	for {
		select {
		case <-end:
			return nil
		case <-beat:
			if err := account.Say(os.Stdout); err != nil {
				return err
			}
		}
	}
}

// hatch starts the brood, and lets the lock be theirs as well.
func hatch(kinds string) error {
	for _, one := range strings.FieldsFunc(kinds, func(r rune) bool { return r == ',' }) {
		kind, count, _ := strings.Cut(one, "=")
		n, err := strconv.Atoi(count)
		if err != nil {
			return err
		}
		for range n {
			switch kind {
			case "plain":
				err = startChild("-child", false)
			case "session":
				err = startChild("-child", true)
			case "headless":
				err = startChild("-headless", false)
			case "heavy":
				err = startHeavy()
			case "orphan", "bare":
				err = startOrphan(kind == "bare")
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// inherited are the descriptors that a child gets: the account's lock, under
// whatever number we have it.
func inherited() []*os.File {
	for fd := 3; fd < 64; fd++ {
		path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		if err != nil || !strings.HasSuffix(path, ".lock") {
			continue
		}
		if copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 64); err == nil {
			return []*os.File{os.NewFile(uintptr(copied), path)}
		}
	}
	return nil
}

func command(word string, session bool) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", word)
	cmd.ExtraFiles = inherited()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: session}
	return cmd
}

func startChild(word string, session bool) error { return command(word, session).Start() }

// startHeavy starts one whose end takes a while: the kernel frees its memory
// before it closes its files.
func startHeavy() error {
	cmd := command("-child", true)
	cmd.Args = append(cmd.Args, "-eat", "256")
	return cmd.Start()
}

// startOrphan starts one whose parent is gone, in a session of its own.
func startOrphan(bare bool) error {
	cmd := command("-middle", true)
	if bare {
		cmd.Env = []string{}
	}
	return cmd.Run()
}

// devour uses memory and touches it.
func devour(megabytes int) {
	if megabytes == 0 {
		return
	}
	memory, err := unix.Mmap(-1, 0, megabytes<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return
	}
	for at := 0; at < len(memory); at += 4096 {
		memory[at] = 1
	}
}
