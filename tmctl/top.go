package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"taskmaster/lib/die"
	"taskmaster/lib/proto"
)

var topCommand = command{
	name:  "top",
	about: "show CPU and memory of all instances live; q quits",
	detail: `CPU is in percent of one processor since the last look, two seconds ago; memory
is that of the instance and all its descendants. Keys: q quit; sort by n name,
s state, u uptime, r restarts, c CPU, m memory; arrows and page keys scroll.`,
	run: runTop,
}

// The time between two looks, and before the second, for which people wait.
const (
	topInterval = 2 * time.Second
	topFirst    = 500 * time.Millisecond
)

// topPatience is how long the daemon may take to answer.
const topPatience = 3 * time.Second

func runTop(s *session, c *call) error {
	switch {
	case s.screen == nil || !isTerminal(os.Stdin):
		return failed(die.Usage, "top: standard input and output must be a terminal")
	case !s.screen.moves():
		return failed(die.Usage, "top: the terminal cannot move its cursor, TERM is %q", os.Getenv("TERM"))
	}
	first, err := s.look(s.until) // what is wrong now is told as for any command
	if err != nil {
		return err
	}
	mode, err := s.mode()
	if err != nil {
		return err
	}
	s.out.flush()
	defer s.terminal.changed(func() {
		os.Stdout.WriteString(leaveTop)
		mode.apply()
	})()
	mode.keyByKey().apply()
	os.Stdout.WriteString(enterTop)

	view := newTopView()
	view.take(first)
	return s.live(view)
}

// The alternate screen with its cursor hidden, and back (xterm's
// ctlseqs, DEC private modes 1049 and 25).
const (
	enterTop = "\x1b[?1049h\x1b[?25l"
	leaveTop = "\x1b[?25h\x1b[?1049l"
)

// A look is one answer to `usage`.
type look struct {
	at     time.Time
	server string
	rows   []usageRow
	err    error
}

// live shows the view until q, ^C or the end of the keys.
func (s *session) live(view *topView) error {
	keys, err := readKeys(s.keys)
	if err != nil {
		return failed(die.Temporary, "top: unable to make a pipe: %s", die.Reason(err))
	}
	defer keys.stop()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	looks := make(chan look, 1)
	defer s.lookEvery(looks)()
	for {
		columns, rows := s.screen.size()
		os.Stdout.WriteString(view.draw(columns, rows, s))
		select {
		case l := <-looks:
			view.take(l)
		case typed, ok := <-keys.typed:
			if !ok || view.key(typed) {
				return nil
			}
		case <-resized:
		case <-s.until.Done():
			return nil
		}
	}
}

// lookEvery sends a look each interval until the function returned is called.
// A daemon that goes away is tried again each time.
func (s *session) lookEvery(looks chan<- look) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer die.OnPanic()
		defer s.terminal.onPanic()
		defer close(ended)
		timer := time.NewTimer(topFirst)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			l, err := s.look(ctx)
			l.err = err
			select {
			case <-ctx.Done():
				return
			case looks <- l:
			}
			timer.Reset(topInterval)
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// look asks for the usage of all instances, unless ctx is done before there is
// a connection.
func (s *session) look(ctx context.Context) (look, error) {
	var l look
	if err := s.connect(ctx); err != nil {
		return l, err
	}
	l.server = s.client.Server()
	s.client.SetDeadline(time.Now().Add(topPatience)) // q must not wait for ever
	err := s.do(func(r proto.Reply) {
		if row, ok := parseUsage(r.Text); ok {
			l.rows = append(l.rows, row)
		}
	}, "usage")
	l.at = time.Now()
	if s.client != nil {
		s.client.SetDeadline(time.Time{})
	}
	return l, err
}
