package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"

	"taskmaster/lib/config"
	"taskmaster/lib/die"

	"golang.org/x/sys/unix"
)

// probesAtOnce bounds how many probes run side by side.
const probesAtOnce = 64

// probeTime is how long one look whether a program is ready may take.
const probeTime = 2 * time.Second

// A prober asks programs from outside how they are: by TCP, HTTP or a
// command. Each probe has a goroutine of its own and a time limit, so that
// none holds up anything.
type prober struct {
	d      *daemon
	places chan struct{}
	web    *http.Client
}

func newProber(d *daemon) *prober {
	return &prober{
		d: d, places: make(chan struct{}, probesAtOnce),
		// A probe asks the program itself: no proxy, no connection kept, and
		// a redirection is an answer.
		web: &http.Client{
			Transport:     &http.Transport{DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// ask probes once and hands the loop the result: nil, or what is wrong in
// words that name what was asked.
func (p *prober) ask(ctx context.Context, what *config.Probe, in *config.Instance, limit time.Duration, then func(error)) {
	go func() {
		select {
		case p.places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		defer func() { <-p.places }()
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		err := p.probe(ctx, what, in)
		if ctx.Err() == context.Canceled {
			return // nobody wants to know any more
		}
		p.d.do(func() { then(err) })
	}()
}

func (p *prober) probe(ctx context.Context, what *config.Probe, in *config.Instance) error {
	switch what.Kind {
	case "tcp":
		return p.connect(ctx, what.Target)
	case "http":
		return p.get(ctx, what)
	}
	return p.command(ctx, what.Cmd, in)
}

func (p *prober) connect(ctx context.Context, address string) error {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("connect %s: %s", address, why(ctx, err))
	}
	return c.Close()
}

func (p *prober) get(ctx context.Context, what *config.Probe) error {
	short := what.Target
	if u, err := url.Parse(what.Target); err == nil {
		short = u.RequestURI()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, what.Target, nil)
	if err != nil {
		return fmt.Errorf("GET %s: %s", short, err)
	}
	req.Header.Set("User-Agent", "taskmaster/"+version)
	answer, err := p.web.Do(req)
	if err != nil {
		return fmt.Errorf("GET %s: %s", short, why(ctx, err))
	}
	io.CopyN(io.Discard, answer.Body, 1<<16)
	answer.Body.Close()
	if answer.StatusCode < what.StatusLo || answer.StatusCode > what.StatusHi {
		return fmt.Errorf("GET %s: %d", short, answer.StatusCode)
	}
	return nil
}

// why is the innermost cause: "connection refused", "timed out".
func why(ctx context.Context, err error) string {
	var errno syscall.Errno
	switch {
	case ctx.Err() == context.DeadlineExceeded:
		return "timed out"
	case errors.As(err, &errno):
		return die.Errno(errno)
	case errors.Is(err, io.EOF):
		return "connection closed"
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return "no such host"
	}
	return err.Error()
}

// command runs a command with the program's environment, user and directory;
// exit code 0 is good.
func (p *prober) command(ctx context.Context, argv []string, in *config.Instance) error {
	what := argv[0] + ": "
	ended := make(chan unix.WaitStatus, 1)
	pid := 0
	var err error
	p.d.ask(func() {
		pid, err = p.d.children.fork(argv, p.d.commandAttr(in), func(s unix.WaitStatus) { ended <- s })
	})
	if err != nil {
		return errors.New(what + die.Reason(err))
	}
	select {
	case status := <-ended:
		switch {
		case status.Signaled():
			return fmt.Errorf("%skilled by %s", what, unix.SignalName(status.Signal()))
		case status.ExitStatus() != 0:
			return fmt.Errorf("%sexit %d", what, status.ExitStatus())
		}
		return nil
	case <-ctx.Done():
		p.d.do(func() {
			if p.d.children.ours[pid] != nil { // not waited for: the pid is still its
				unix.Kill(-pid, unix.SIGKILL)
			}
		})
		return errors.New(what + "timed out")
	}
}

// commandAttr is how a probe's command is started: as the program's user, in
// its directory.
func (d *daemon) commandAttr(in *config.Instance) *syscall.ProcAttr {
	null := uintptr(d.null)
	attr := &syscall.ProcAttr{
		Dir: in.WorkingDir, Env: d.environment(in), Files: []uintptr{null, null, null},
		Sys: &syscall.SysProcAttr{Setsid: true},
	}
	if u := in.User; u != nil && os.Geteuid() == 0 {
		c := &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.GID)}
		for _, g := range u.Groups {
			c.Groups = append(c.Groups, uint32(g))
		}
		attr.Sys.Credential = c
	}
	return attr
}
