package tmtest

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"taskmaster/lib/procfs"
	"taskmaster/lib/statedir"
)

// A Tmd is a tmd that was started; it may have ended.
type Tmd struct {
	host *Host
	cmd  *exec.Cmd
	over chan struct{} // closed when it has ended and was waited for
}

// Start starts tmd and waits until it serves clients.
func (h *Host) Start(args ...string) *Tmd {
	h.T.Helper()
	return h.StartBy(nil, args...)
}

// StartBy starts tmd by way of another command that executes it, such as
// nohup(1): by is put before it.
func (h *Host) StartBy(by []string, args ...string) *Tmd {
	h.T.Helper()
	argv := slices.Concat(h.As, by, []string{Bin("tmd"), "-c", h.Config, "-d", h.State}, args)
	d := h.Launch(exec.Command(argv[0], argv[1:]...))
	d.AwaitUp()
	return d
}

// Launch starts a command that is or becomes tmd, and does not wait for
// anything.
func (h *Host) Launch(cmd *exec.Cmd) *Tmd {
	h.T.Helper()
	d := &Tmd{host: h, cmd: cmd, over: make(chan struct{})}
	if cmd.Dir == "" {
		cmd.Dir = h.Dir
	}
	if cmd.Env == nil {
		cmd.Env = append(os.Environ(), h.Env...)
	}
	out, err := os.Create(h.Dir + "/tmd.out")
	if err != nil {
		h.T.Fatalf("%v", err)
	}
	defer out.Close()
	cmd.Stdout = out
	complaints, err := os.OpenFile(h.Dir+"/tmd.err", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		h.T.Fatalf("%v", err)
	}
	defer complaints.Close()
	cmd.Stderr = complaints
	if err := cmd.Start(); err != nil {
		h.T.Fatalf("unable to start %v: %v", cmd.Args, err)
	}
	h.daemons = append(h.daemons, d)
	go func() {
		cmd.Wait()
		close(d.over)
	}()
	return d
}

// AwaitUp waits until tmd serves clients.
func (d *Tmd) AwaitUp() {
	h := d.host
	h.T.Helper()
	Until(h.T, func() bool {
		if d.Ended() {
			h.T.Fatalf("tmd ended: exit %d\n%s", d.cmd.ProcessState.ExitCode(), d.Stderr())
		}
		holder, err := statedir.Holder(statedir.Dir(h.State).Lock())
		if err != nil || holder <= 0 {
			return false
		}
		// The address of a former tmd may still be there.
		return h.Ctl("pid").Code == 0
	}, "tmd is up")
}

// PID is that of the started command.
func (d *Tmd) PID() int { return d.cmd.Process.Pid }

// Signal sends a signal to tmd.
func (d *Tmd) Signal(sig syscall.Signal) {
	d.host.T.Helper()
	if err := d.cmd.Process.Signal(sig); err != nil {
		d.host.T.Fatalf("unable to send %v to tmd: %v", sig, err)
	}
}

// Ended reports whether tmd has ended.
func (d *Tmd) Ended() bool {
	select {
	case <-d.over:
		return true
	default:
		return false
	}
}

// Wait waits for the end of tmd and returns its exit code, -1 when a signal
// ended it.
func (d *Tmd) Wait() int {
	d.host.T.Helper()
	Until(d.host.T, d.Ended, "tmd ends")
	return d.cmd.ProcessState.ExitCode()
}

// Stop ends tmd and all programs by SIGTERM and holds that nothing is left.
func (d *Tmd) Stop() {
	d.host.T.Helper()
	d.Signal(syscall.SIGTERM)
	if code := d.Wait(); code != 0 {
		d.host.T.Fatalf("tmd: exit %d\n%s", code, d.Stderr())
	}
	d.host.NothingLeft()
}

// Kill ends tmd by SIGKILL; what it started goes on.
func (d *Tmd) Kill() {
	d.host.T.Helper()
	d.Signal(syscall.SIGKILL)
	d.Wait()
}

// Stderr is what tmd and its helpers said so far.
func (d *Tmd) Stderr() string { return d.host.Read("tmd.err") }

// Helper is the pid of the tmsupervise that keeps an instance, 0 when none
// does.
func (h *Host) Helper(name string) int {
	h.T.Helper()
	pid, err := statedir.Holder(statedir.Dir(h.State).Run(name).Lock())
	if err != nil {
		h.T.Fatalf("lock of %s: %v", name, err)
	}
	return max(pid, 0)
}

// Same reports whether the process of a pid is still the one that started
// then, see StartOf.
func Same(pid int, start uint64) bool { return procfs.Alive(pid, start) }

// StartOf is when a process started, in ticks after boot; 0 for none. Together
// with the pid it names a process for ever.
func StartOf(pid int) uint64 {
	s, err := procfs.ReadStat(pid)
	if err != nil {
		return 0
	}
	return s.Start
}

// Children lists the processes of the host that run a program of that name.
func (h *Host) Children(name string) []int {
	var found []int
	for _, pid := range h.Leftovers() {
		if strings.HasSuffix(procfs.Executable(pid), "/"+name) {
			found = append(found, pid)
		}
	}
	return found
}
