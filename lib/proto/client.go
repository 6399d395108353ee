package proto

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"taskmaster/lib/line"
)

// ErrImpostor says that the server does not know the secret: something else
// listens at that address.
var ErrImpostor = errors.New("the server does not know the secret")

// ErrUnproven says that the server asks for no proof, and so gives none,
// though there is a secret to prove: it may be anybody who took the port of a
// tmd that has ended.
var ErrUnproven = errors.New("the server asks for no secret, so it may be anybody's; with auth: none name no secret file")

// ErrSecret says that the server asks for a proof and there is no secret.
var ErrSecret = errors.New("the server asks for a secret")

// ErrFlooded says that the server is flooded with connections and gave our
// place to another before it read the proof. To try again at once is right:
// an honest client needs its place for one round trip only.
var ErrFlooded = errors.New("the server is flooded with connections")

// ErrClosed says that the server said nothing at all: it is about to end.
var ErrClosed = errors.New("it closes connections without a word")

// A Client is one authenticated connection. It makes one request at a time.
type Client struct {
	net   net.Conn
	lines *line.Reader
}

// Dial connects to a server and authenticates, each within its time: the
// kernel connects at once even when the server is too busy to answer soon. No
// longer than ctx is not done, which is of no meaning afterwards. The secret is
// the 64 hex digits, "" when there is none. The errors are those of net.Dial,
// *Error when the server refuses, ErrFlooded, ErrImpostor, ErrUnproven,
// ErrSecret, ErrClosed and ErrProtocol.
func Dial(ctx context.Context, addr, secret string, connect, letIn time.Duration) (*Client, error) {
	dialer := net.Dialer{Timeout: connect}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(letIn))
	callOff := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	c := &Client{net: conn, lines: line.NewReader(conn, MaxReply)}
	err = c.authenticate(secret)
	if !callOff() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return c, nil
}

// authenticate answers the greeting: with a proof to a challenge, with a
// plain hello to a server that asks for none, unless there is a secret: then
// the server has a proof to give as well.
func (c *Client) authenticate(secret string) error {
	greeting, err := c.lines.Next()
	if err == io.EOF {
		return ErrClosed
	}
	if err != nil {
		return notOurs(err)
	}
	nonce, challenged := parseChallenge(string(greeting))
	if !challenged {
		reply, err := ParseReply(string(greeting))
		switch {
		case err != nil:
			return err
		case reply.Kind == KindFailed && reply.Text == evictedText:
			return ErrFlooded
		case reply.Kind == KindFailed:
			return &Error{reply.Word, reply.Text}
		case reply.Kind != KindDone || reply.Text != "taskmaster "+Version:
			return ErrProtocol
		case secret != "":
			return ErrUnproven
		}
		_, err = c.exchange(hello)
		return err
	}
	if secret == "" {
		return ErrSecret
	}
	cnonce := newNonce()
	answer, err := c.exchange("auth " + cnonce + " " + proof(secret, "client", nonce, cnonce))
	if err == nil && answer != proof(secret, "server", nonce, cnonce) {
		return ErrImpostor
	}
	return err
}

// exchange sends one line and returns the text of the +OK that follows.
func (c *Client) exchange(text string) (string, error) {
	_, err := io.WriteString(c.net, text+"\n")
	var answer []byte
	if err == nil {
		answer, err = c.lines.Next()
	}
	if err == io.EOF || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return "", ErrFlooded
	}
	if err != nil {
		return "", notOurs(err)
	}
	reply, err := ParseReply(string(answer))
	switch {
	case err != nil:
		return "", err
	case reply.Kind == KindFailed && reply.Word == Busy:
		return "", ErrFlooded
	case reply.Kind == KindFailed:
		return "", &Error{reply.Word, reply.Text}
	case reply.Kind != KindDone:
		return "", ErrProtocol
	}
	return reply.Text, nil
}

// notOurs makes of the ends that a stream can have, but not a server of ours
// before it was answered, ErrProtocol.
func notOurs(err error) error {
	if err == line.ErrTooLong || err == io.ErrUnexpectedEOF || err == io.EOF {
		return ErrProtocol
	}
	return err
}

// Do makes one request of words and calls each with every = and * line of
// the reply; each may be nil. It returns the text of the +OK. The error is an
// *Error for a -ERR; any other means that the connection is of no further use.
//
// When ctx is done, `end` is sent: the server then ends what streams with
// +OK, what waits with -ERR state; Do returns after that line as usual, and
// with an error when it does not come within five seconds.
func (c *Client) Do(ctx context.Context, each func(Reply), words ...string) (string, error) {
	if _, err := io.WriteString(c.net, line.Join(words...)+"\n"); err != nil {
		return "", err
	}
	defer c.endWhen(ctx)()
	watching := words[0] == "watch" // its first +OK begins the reply
	for {
		reply, err := c.next()
		switch {
		case err != nil:
			return "", err
		case reply.Kind == KindFailed:
			return "", &Error{reply.Word, reply.Text}
		case reply.Kind == KindDone && watching:
			watching = false
		case reply.Kind == KindDone:
			return reply.Text, nil
		case each != nil:
			each(reply)
		}
	}
}

// endWait is how long a server may take to end a request that streams.
const endWait = 5 * time.Second

// endWhen sends `end` when ctx is done; the function returned calls that off.
func (c *Client) endWhen(ctx context.Context) (callOff func()) {
	sent := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(sent)
		c.net.SetDeadline(time.Now().Add(endWait))
		io.WriteString(c.net, "end\n")
	})
	return func() {
		if !stop() {
			<-sent
			c.net.SetDeadline(time.Time{})
		}
	}
}

func (c *Client) next() (Reply, error) {
	text, err := c.lines.Next()
	if err == io.EOF {
		return Reply{}, io.ErrUnexpectedEOF
	}
	if err != nil {
		return Reply{}, err
	}
	return ParseReply(string(text))
}

// SetDeadline limits, as net.Conn has it, what comes after; a request that
// runs into it makes the connection useless. The zero time lifts it.
func (c *Client) SetDeadline(t time.Time) { c.net.SetDeadline(t) }

// Alive says whether the connection stood when last heard of, without asking
// the server: false when it has been closed from there.
func (c *Client) Alive() bool {
	tcp, ok := c.net.(*net.TCPConn)
	if !ok {
		return true
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	alive := false
	raw.Control(func(fd uintptr) {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		// Between requests nothing is to be read: neither a byte nor an end.
		alive = err == syscall.EAGAIN || err == syscall.EINTR
	})
	return alive
}

// Server is the address that the client is connected to.
func (c *Client) Server() string { return c.net.RemoteAddr().String() }

// Close ends the connection, and with it a request that Do waits for.
func (c *Client) Close() error { return c.net.Close() }
