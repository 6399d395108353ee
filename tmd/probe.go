package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"

	"taskmaster/lib/config"
	"taskmaster/lib/die"
)

// A purpose is what an answer is wanted for. Each has places of its own, so
// that no number of hanging checks keeps a program from being found ready.
type purpose int

const (
	forReady purpose = iota
	forCheck
	numPurposes
)

// probesAtOnce bounds how many probes of one purpose run side by side.
const probesAtOnce = 256

// probeTime is how long one look whether a program is ready may take.
const probeTime = 2 * time.Second

// A prober asks programs from outside how they are: by TCP, HTTP or a
// command. Each probe has a goroutine of its own and a time limit, so that
// none holds up anything.
type prober struct {
	d      *daemon
	began  time.Time // from when pulses are counted
	places [numPurposes]chan struct{}
}

func newProber(d *daemon) *prober {
	p := &prober{d: d, began: time.Now()}
	for i := range p.places {
		p.places[i] = make(chan struct{}, probesAtOnce)
	}
	return p
}

// ask probes once and hands the loop the result: nil, or what is wrong in
// words that name what was asked. The limit counts from when there is a place.
func (p *prober) ask(ctx context.Context, why purpose, what *config.Probe, in *config.Instance, limit time.Duration, then func(error)) {
	go func() {
		select {
		case p.places[why] <- struct{}{}:
		case <-ctx.Done():
			return
		}
		defer func() { <-p.places[why] }()
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		err := p.probe(ctx, what, in)
		if ctx.Err() == context.Canceled {
			return // nobody wants to know any more
		}
		if err != nil {
			err = errors.New(shortened(asked(why, what)) + ": " + shortened(err.Error()))
		}
		p.d.do(func() { then(err) })
	}()
}

// asked names what is probed. A check leaves out the host, which its program
// tells; the reason of a failed start, which is mailed, has the whole URL.
func asked(why purpose, what *config.Probe) string {
	switch what.Kind {
	case "tcp":
		return "connect " + what.Target
	case "http":
		if u, err := url.Parse(what.Target); err == nil && why == forCheck {
			return "GET " + u.RequestURI()
		}
		return "GET " + what.Target
	}
	return what.Cmd[0]
}

// maxTold bounds what is told of a question and of its answer, which may be
// as long as a server likes: a helper takes commands of 4096 bytes, in which
// each byte may stand as %XX.
const maxTold = 400

func shortened(text string) string {
	if len(text) <= maxTold {
		return text
	}
	const cut = "..."
	return text[:maxTold-len(cut)] + cut
}

func (p *prober) probe(ctx context.Context, what *config.Probe, in *config.Instance) error {
	switch what.Kind {
	case "tcp":
		return connect(ctx, what.Target)
	case "http":
		return fetch(ctx, what)
	}
	return p.command(ctx, what.Cmd, in)
}

// dialer sends no keep-alives: a probe is over before one would be due.
var dialer = net.Dialer{KeepAlive: -1}

func connect(ctx context.Context, address string) error {
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return cause(ctx, err)
	}
	return c.Close()
}

// maxAnswer bounds what is read of an answer, head and body together.
const maxAnswer = 1 << 16

// fetch asks the program itself: no proxy, a connection of its own, and a
// redirection is an answer. (http.Transport has two goroutines for each
// connection, and takes twice the time.)
func fetch(ctx context.Context, what *config.Probe) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, what.Target, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "taskmaster/"+version)
	req.Close = true
	c, err := dialer.DialContext(ctx, "tcp", hostPort(req.URL))
	if err != nil {
		return cause(ctx, err)
	}
	defer c.Close()
	if until, limited := ctx.Deadline(); limited {
		c.SetDeadline(until)
	}
	status, err := exchange(c, req)
	if err != nil {
		return cause(ctx, err)
	}
	if status < what.StatusLo || status > what.StatusHi {
		return errors.New(itoa(status))
	}
	return nil
}

func hostPort(u *url.URL) string {
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "80")
	}
	return u.Host
}

// exchange sends a request and returns the status of the answer. An interim
// answer (RFC 9110, 15.2) is passed over. The body is read, since a server
// would take a connection that is closed before for a broken one.
func exchange(c net.Conn, req *http.Request) (status int, err error) {
	if err := req.Write(c); err != nil {
		return 0, err
	}
	r := bufio.NewReader(io.LimitReader(c, maxAnswer))
	for {
		answer, err := http.ReadResponse(r, req)
		if err != nil {
			return 0, err
		}
		if answer.StatusCode >= 200 {
			io.Copy(io.Discard, answer.Body)
			return answer.StatusCode, nil
		}
	}
}

// cause is the innermost reason: "connection refused", "timed out".
func cause(ctx context.Context, err error) error {
	var errno syscall.Errno
	var dns *net.DNSError
	switch {
	case ctx.Err() == context.DeadlineExceeded, errors.Is(err, os.ErrDeadlineExceeded):
		return errTimedOut
	case errors.As(err, &errno):
		return errors.New(die.Errno(errno))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("connection closed")
	case errors.As(err, &dns):
		return errors.New("no such host")
	}
	return err
}

var errTimedOut = errors.New("timed out")
