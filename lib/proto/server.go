package proto

import (
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"taskmaster/lib/die"
)

// A Server speaks the protocol with many clients. All fields but Denied are
// needed; they are set before Serve is called and not changed later. The
// functions are called from several goroutines at once.
type Server struct {
	Auth     func() string             // "secret" or "none", asked for each client
	Secret   func() string             // its 64 hex digits, asked at each proof; "" lets nobody in
	Readonly func() string             // the same for the read-only secret; "" for none
	Handle   func(r *Request)          // handles one request, see Request
	Denied   func(peer, reason string) // someone was not let in; at most once a second per origin

	mu        sync.Mutex
	listeners map[net.Listener]bool
	clients   map[*conn]bool
	waiting   []*conn // those of clients that have not authenticated, oldest first
	denials   denials
	closed    bool
	running   sync.WaitGroup // one for each conn.run

	writeTimeout time.Duration // of tests; 0 for WriteTimeout
	maxHeldUp    time.Duration // of tests; 0 for Patience
}

// closeGrace is how long Close waits for clients to take their last lines.
const closeGrace = 2 * time.Second

// Serve accepts clients until l is closed, by Close or by the caller, who may
// then call it again with another listener: clients stay. It returns nil when
// l was closed. A lack of file descriptors costs new clients, never the
// service.
func (s *Server) Serve(l net.Listener) error {
	if !s.add(l) {
		l.Close()
		return nil
	}
	defer s.remove(l)
	var spare spareFD
	spare.hold()
	defer spare.release()
	for {
		client, err := l.Accept()
		switch {
		case err == nil:
			s.admit(client)
		case isClosed(err):
			return nil
		case isAborted(err):
			continue
		case isExhausted(err):
			spare.turnAway(l)
		default:
			return err
		}
	}
}

// Close ends the service: no further clients, Done of all requests is closed,
// replies under way are sent. It returns when all clients are gone, at the
// latest after two seconds.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.clients {
		c.net.SetReadDeadline(time.Unix(1, 0)) // its reader ends
		c.endAll()
	}
	s.mu.Unlock()

	gone := make(chan struct{})
	go func() {
		s.running.Wait()
		close(gone)
	}()
	late := time.NewTimer(closeGrace)
	defer late.Stop()
	select {
	case <-gone:
	case <-late.C:
		s.drop()
	}
}

// drop closes all clients, whatever they have still to read.
func (s *Server) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.clients {
		c.net.Close()
	}
}

func (s *Server) add(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.listeners == nil {
		s.listeners = make(map[net.Listener]bool)
		s.clients = make(map[*conn]bool)
	}
	s.listeners[l] = true
	return true
}

func (s *Server) remove(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// admit takes a new client in, if need be in the place of the one that has
// waited longest without authenticating: an honest client needs its place
// for a round trip only, so a flood costs it nothing.
func (s *Server) admit(client net.Conn) {
	if tcp, ok := client.(*net.TCPConn); ok {
		tcp.SetWriteBuffer(MaxQueued) // the kernel's share of what a client leaves unread
	}
	c := newConn(s, client)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		client.Close() // a moment later it would not have been let connect
		return
	}
	full := len(s.clients) >= MaxClients
	if (full || len(s.waiting) >= MaxUnauthenticated) && len(s.waiting) > 0 {
		oldest := s.waiting[0]
		s.forget(oldest)
		oldest.evict()
		full = false
	}
	if full {
		turnAway(client)
		return
	}
	client.SetDeadline(time.Now().Add(AuthTimeout))
	s.clients[c] = true
	s.waiting = append(s.waiting, c)
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		c.run()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.forget(c)
	}()
}

// turnAway closes a connection at once. It is new, so the line fits into the
// kernel's buffer and the write does not wait.
func turnAway(client net.Conn) {
	client.SetWriteDeadline(time.Now().Add(time.Second))
	client.Write([]byte("-ERR " + Busy + " too many clients\n"))
	client.Close()
}

// letIn notes that c has authenticated and lifts its deadline; false when it
// lost its place or the server closes.
func (s *Server) letIn(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.clients[c] || s.closed {
		return false
	}
	s.stopWaiting(c)
	c.net.SetDeadline(time.Time{})
	return true
}

func (s *Server) forget(c *conn) {
	delete(s.clients, c)
	s.stopWaiting(c)
}

func (s *Server) stopWaiting(c *conn) {
	for i, other := range s.waiting {
		if other == c {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			return
		}
	}
}

// denied tells tmd who was not let in, at most once a second per origin.
func (s *Server) denied(peer, reason string) {
	if s.denials.first(origin(peer), time.Now()) && s.Denied != nil {
		s.Denied(peer, reason)
	}
}

// crashed says on standard error that handling a request panicked: a bug,
// but no request may end the supervision.
func (s *Server) crashed(r *Request, cause any, stack []byte) {
	die.Warn(fmt.Sprintf("bug, please report it: %q: %v", r.Line, cause), nil)
	os.Stderr.Write(stack)
}

func (s *Server) stall() time.Duration {
	if s.writeTimeout > 0 {
		return s.writeTimeout
	}
	return WriteTimeout
}

func (s *Server) patience() time.Duration {
	if s.maxHeldUp > 0 {
		return s.maxHeldUp
	}
	return Patience
}
