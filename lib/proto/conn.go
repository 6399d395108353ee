package proto

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"taskmaster/lib/line"
)

// A conn is one client of a Server. Its goroutine reads; requests are handled
// one after the other by a second one, which exists only while there are any,
// so that `end` is heard while a request runs.
type conn struct {
	server   *Server
	net      net.Conn
	peer     string
	lines    *line.Reader
	out      *output
	open     bool // nobody has to prove anything: auth none
	readOnly bool

	mu      sync.Mutex
	changed *sync.Cond // requests got shorter
	// requests came and are not answered yet; the first is being handled.
	requests []*Request
	waiting  int  // bytes of the others
	evicted  bool // had to make room before it authenticated
}

func newConn(s *Server, client net.Conn) *conn {
	c := &conn{
		server: s,
		net:    client,
		peer:   client.RemoteAddr().String(),
		lines:  line.NewReader(client, MaxGreeting),
	}
	c.changed = sync.NewCond(&c.mu)
	// Not left to the reader, which may wait for room among the requests.
	c.out = newOutput(client, s.stall(), c.endAll)
	return c
}

// run serves the client to its end. The deadline for authenticating is set
// already, since the time counts from connecting.
func (c *conn) run() {
	defer c.net.Close()
	welcome, reason := c.authenticate()
	if reason != "" || !c.server.letIn(c) {
		c.refuse(reason)
		return
	}
	io.WriteString(c.net, welcome)
	c.lines.SetMax(MaxRequest)
	broken := c.read()
	c.endAll()
	c.awaitReplies()
	c.out.flush()
	if broken {
		c.linger()
	}
}

// evictedText is told to a client that had to make room for others before it
// authenticated; it may come before the greeting.
const evictedText = "too many clients that have not authenticated"

// gone is the reason of a client that left without a word: not worth telling.
const gone = "gone"

// authenticate greets the client and reads its first line. It returns the
// answer to that, or why the client is not let in.
func (c *conn) authenticate() (welcome, reason string) {
	c.open = c.server.Auth() == "none"
	nonce := newNonce()
	greeting := "?taskmaster " + Version + " " + nonce + "\n"
	if c.open {
		greeting = "+OK taskmaster " + Version + "\n"
	}
	if _, err := io.WriteString(c.net, greeting); err != nil {
		return "", gone
	}
	text, err := c.lines.Next()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "", "no proof in time"
	case err == line.ErrTooLong:
		return "", "line too long"
	case err == io.ErrUnexpectedEOF:
		return "", "not the greeting of a client"
	case err != nil:
		return "", gone
	case !c.open:
		return c.prove(string(text), nonce)
	case string(text) != hello:
		return "", "not the greeting of a client"
	}
	return "+OK\n", ""
}

// prove checks the proof against both secrets, whatever the first says, so
// that the time taken tells nothing.
func (c *conn) prove(text, nonce string) (welcome, reason string) {
	cnonce, mac, ok := parseAuth(text)
	if !ok {
		return "", "not the greeting of a client"
	}
	secret, readonly := c.server.Secret(), c.server.Readonly()
	full := proves(secret, nonce, cnonce, mac)
	limited := proves(readonly, nonce, cnonce, mac)
	switch {
	case full:
	case limited:
		c.readOnly, secret = true, readonly
	default:
		return "", "wrong proof"
	}
	return "+OK " + proof(secret, "server", nonce, cnonce) + "\n", ""
}

// refuse tells a client that it is not let in, and tmd that it tried.
func (c *conn) refuse(reason string) {
	c.mu.Lock()
	evicted := c.evicted
	c.mu.Unlock()
	c.net.SetWriteDeadline(time.Now().Add(lingerTime))
	switch {
	case evicted:
		c.server.denied(c.peer, evictedText)
		io.WriteString(c.net, "-ERR "+Busy+" "+evictedText+"\n")
	case reason != gone && reason != "":
		c.server.denied(c.peer, reason)
		io.WriteString(c.net, "-ERR "+Denied+"\n")
		c.linger()
	}
}

// evict makes an unauthenticated client give up its place.
func (c *conn) evict() {
	c.mu.Lock()
	c.evicted = true
	c.mu.Unlock()
	c.net.SetDeadline(time.Unix(1, 0))
}

// lingerTime is how long a client may take to read its last line.
const lingerTime = time.Second

// linger closes the sending side and reads on for a moment: closing with
// input unread makes the kernel reset the connection, and the client would
// never see its last line (RFC 2525, 2.17).
func (c *conn) linger() {
	if tcp, ok := c.net.(*net.TCPConn); ok && tcp.CloseWrite() == nil {
		c.net.SetReadDeadline(time.Now().Add(lingerTime))
		io.Copy(io.Discard, io.LimitReader(c.net, 1<<20))
	}
}

// read takes requests in until the client sends no more. It returns true when
// it stopped at something after which the stream cannot be trusted. A line is
// taken apart only once there is room for it: its words take ten times as much.
func (c *conn) read() (broken bool) {
	for {
		text, err := c.lines.Next()
		if err == line.ErrTooLong {
			c.awaitRoom(0)
			c.enqueue(&Request{fault: &Error{Bad, "line too long"}})
			return true
		}
		if err != nil {
			return false
		}
		if string(text) == "end" {
			c.endAll()
			continue
		}
		if !c.awaitRoom(len(text)) {
			c.turnDown()
			continue
		}
		r, last := c.parse(string(text))
		c.enqueue(r)
		if last {
			return true
		}
	}
}

// parse makes a request of a line, one with a fault when it is not one. For a
// client that had to prove nothing such a line is the last: it may be a
// browser that a foreign page made to POST.
func (c *conn) parse(text string) (r *Request, last bool) {
	r, fault := ParseRequest(text)
	if fault != nil {
		return &Request{Line: text, fault: fault}, c.open
	}
	if c.readOnly && !verbs[r.Verb] {
		r.fault = &Error{Denied, r.Verb + " is not for the read-only secret"}
	}
	return r, false
}

// awaitRoom waits while too much is ahead of a request of that many bytes. A
// client may send the longest there is behind one that takes its time, and
// then the `end` of that. False says that the one ahead of all goes on until it
// is ended, and did for too long: then the reader reads on, to that `end`.
func (c *conn) awaitRoom(size int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.full(size) {
		first := c.requests[0]
		if first.late && first.endable {
			return false
		}
		if !first.timed {
			first.timed = true
			time.AfterFunc(c.server.patience(), func() { c.mark(&first.late) })
		}
		c.changed.Wait()
	}
	return true
}

// full says whether a request of that many bytes is too much. The caller
// holds mu.
func (c *conn) full(size int) bool {
	return len(c.requests) >= MaxPipelined || len(c.requests) > 1 && c.waiting+size > MaxRequest
}

// mark sets what the reader that waits for room looks at.
func (c *conn) mark(what *bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !*what {
		*what = true
		c.changed.Broadcast()
	}
}

// noRoom is the fault of requests that were not kept.
var noRoom = &Error{Busy, "too many requests wait behind one that is not answered yet"}

// turnDown refuses a request. Those in a row are one in the queue, with their
// count, so that it stays bounded whatever a client sends.
func (c *conn) turnDown() {
	c.mu.Lock()
	if n := len(c.requests); n > 0 && c.requests[n-1].fault == noRoom {
		c.requests[n-1].more++
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.enqueue(&Request{fault: noRoom})
}

// enqueue adds a request and starts the handling when it is the only one.
// Only the reader calls it, so the room that it waited for is still there.
func (c *conn) enqueue(r *Request) {
	r.Peer, r.ReadOnly, r.client, r.done = c.peer, c.readOnly, c, make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, r)
	if len(c.requests) == 1 {
		go c.handleAll(r)
		return
	}
	c.waiting += len(r.Line)
}

// handleAll handles requests, beginning with r, until there are none. None is
// begun while the client leaves too much unread: even the shortest replies
// would add up.
func (c *conn) handleAll(r *Request) {
	for r != nil {
		c.out.awaitRoom()
		c.handle(r)
		r = c.next(r)
	}
}

// next takes r, which was answered, off the requests, and returns the first
// of the others; nil when there is none.
func (c *conn) next(r *Request) *Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.more > 0 {
		again := *r
		again.more--
		again.answered = false
		c.requests[0] = &again
		return &again
	}
	defer c.changed.Broadcast()
	c.requests = c.requests[1:]
	if len(c.requests) == 0 {
		return nil
	}
	c.waiting -= len(c.requests[0].Line)
	return c.requests[0]
}

// handle answers one request. Neither a handler that panics nor one that
// forgets to answer may cost more than this request.
func (c *conn) handle(r *Request) {
	defer func() {
		if cause := recover(); cause != nil {
			c.server.crashed(r, cause, debug.Stack())
		}
		r.Err(Bug, "the request was not answered")
	}()
	if r.fault != nil {
		r.Err(r.fault.Word, r.fault.Text)
		return
	}
	c.server.Handle(r)
}

// endAll ends all requests that came so far and are not answered.
func (c *conn) endAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		if !r.ended {
			r.ended = true
			close(r.done)
		}
	}
}

// awaitReplies waits until all requests are answered.
func (c *conn) awaitReplies() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.requests) > 0 {
		c.changed.Wait()
	}
}
