package main

import (
	"context"
	"errors"
	"net"
	"time"
)

// How long a server may take. Tests shorten them.
var (
	dialTimeout    = 10 * time.Second
	stepTimeout    = 30 * time.Second // from a command to the end of its answer
	sessionTimeout = 2 * time.Minute  // from connecting to the last answer
)

// quitTimeout is how long to wait for the answer to QUIT, which tells nothing.
const quitTimeout = 5 * time.Second

// mostAnswer bounds what a server may say in one session, in bytes, TLS and
// certificates included: an endless line would fill the memory.
const mostAnswer = 1 << 20

var errTalkative = errors.New("the server says too much")

// A timedConn gives every step of a dialogue a deadline: each write, which
// begins a command, allows stepTimeout for its answer, and nothing passes the
// end of the session. A server that sends a byte now and then gains nothing.
type timedConn struct {
	net.Conn
	step time.Duration
	end  time.Time
	left int // bytes that may still be read
}

func dial(ctx context.Context, address string) (*timedConn, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &timedConn{Conn: conn, step: stepTimeout, end: time.Now().Add(sessionTimeout), left: mostAnswer}
	if err := c.allow(c.step); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// allow sets the deadline d from now, but not past the end of the session.
func (c *timedConn) allow(d time.Duration) error {
	at := time.Now().Add(d)
	if at.After(c.end) {
		at = c.end
	}
	return c.Conn.SetDeadline(at)
}

// Write begins a step.
func (c *timedConn) Write(p []byte) (int, error) {
	if err := c.allow(c.step); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Read fails with errTalkative when the server has said too much.
func (c *timedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTalkative
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// SetDeadline and its kin do nothing: the deadlines are those of the steps.
func (c *timedConn) SetDeadline(time.Time) error      { return nil }
func (c *timedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *timedConn) SetWriteDeadline(time.Time) error { return nil }
