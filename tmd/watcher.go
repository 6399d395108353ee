package main

import (
	"taskmaster/lib/die"
	"taskmaster/lib/procfs"

	"golang.org/x/sys/unix"
)

// A watcher tells when processes end that need not be our children: helpers
// and tmlogs that an earlier tmd started. It is one goroutine in one
// epoll_wait over their pidfds.
type watcher struct {
	d    *daemon
	poll int
	then map[int]func() // by pidfd
}

func newWatcher(d *daemon) *watcher {
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		die.Fatal(die.Temporary, "unable to make an epoll", err)
	}
	w := &watcher{d: d, poll: poll, then: map[int]func(){}}
	go w.wait()
	return w
}

func (w *watcher) wait() {
	events := make([]unix.EpollEvent, 128)
	for {
		n, err := unix.EpollWait(w.poll, events, -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			die.Fatal(die.Bug, "unable to wait for helpers", err)
		}
		ended := make([]int, n)
		for i := range ended {
			ended[i] = int(events[i].Fd)
		}
		w.d.ask(func() { w.tell(ended) })
	}
}

// tell runs in the loop.
func (w *watcher) tell(ended []int) {
	for _, fd := range ended {
		// The number may name another process by now.
		if then := w.then[fd]; then != nil && procfs.PidfdExited(fd) {
			w.drop(fd)
			then()
		}
	}
}

// watch runs then in the loop once, when the process of the pidfd has ended;
// the watcher owns the pidfd from now on.
func (w *watcher) watch(pidfd int, then func()) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(pidfd)}
	if err := unix.EpollCtl(w.poll, unix.EPOLL_CTL_ADD, pidfd, &event); err != nil {
		return err
	}
	w.then[pidfd] = then
	return nil
}

// drop forgets a pidfd and closes it.
func (w *watcher) drop(pidfd int) {
	delete(w.then, pidfd)
	unix.EpollCtl(w.poll, unix.EPOLL_CTL_DEL, pidfd, nil)
	unix.Close(pidfd)
}
