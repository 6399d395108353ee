package proto

import (
	"net"
	"strconv"
	"sync"
	"time"

	"taskmaster/lib/event"
)

// pieceSize is how much a client must read within the write deadline.
const pieceSize = 16 << 10

// output is the bounded queue of what one client has still to read. A
// goroutine writes it out, and exists only while there is something to write,
// so that nobody who sends an event ever waits for a client.
type output struct {
	net    net.Conn
	stall  time.Duration // the write deadline
	broken func()        // called once the client is found to be gone

	mu      sync.Mutex
	changed *sync.Cond // pending was taken, or writing or failed changed
	pending []byte
	lost    int // events dropped and not yet told of
	writing bool
	failed  bool // the client is gone: everything is dropped from now on
}

func newOutput(client net.Conn, stall time.Duration, broken func()) *output {
	o := &output{net: client, stall: stall, broken: broken}
	o.changed = sync.NewCond(&o.mu)
	return o
}

// answer queues a line of the reply to r, and waits for room first.
func (o *output) answer(r *Request, text string) bool {
	o.awaitRoom()
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.answered || o.failed {
		return false
	}
	o.queue(text)
	return true
}

// awaitRoom waits while the queue is full.
func (o *output) awaitRoom() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.pending) >= MaxQueued && !o.failed {
		o.changed.Wait()
	}
}

// event queues a line unless the queue is full.
func (o *output) event(r *Request, text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.answered || o.failed {
		return false
	}
	if len(o.pending) >= MaxQueued {
		o.lost++
		return false
	}
	o.queue(text)
	return true
}

// end queues the last line of the reply to r. It does not wait: there is one
// such line for each request, and the next is not begun without room.
func (o *output) end(r *Request, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.answered {
		return
	}
	r.answered = true
	if o.failed {
		return
	}
	o.tellLost()
	o.queue(text)
}

// queue adds text and sees to it that it is written. The caller holds mu.
func (o *output) queue(text string) {
	o.pending = append(o.pending, text...)
	if !o.writing {
		o.writing = true
		go o.write()
	}
}

// write takes what is pending until nothing is.
func (o *output) write() {
	for {
		batch := o.take()
		if batch == nil {
			return
		}
		for len(batch) > 0 {
			piece := batch[:min(len(batch), pieceSize)]
			o.net.SetWriteDeadline(time.Now().Add(o.stall))
			n, err := o.net.Write(piece)
			if err != nil {
				o.fail()
				break
			}
			batch = batch[n:]
		}
	}
}

// take empties the queue. It returns nil, and the writer is to end, when
// there is nothing to write.
func (o *output) take() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.changed.Broadcast()
	if o.failed || len(o.pending) == 0 {
		o.pending = nil
		o.writing = false
		return nil
	}
	o.tellLost()
	batch := o.pending
	o.pending = nil
	return batch
}

// tellLost queues the count of the events that were dropped, where they were
// dropped: behind those queued before, in front of the end of the reply.
func (o *output) tellLost() {
	if o.lost == 0 {
		return
	}
	lost := event.New(time.Now(), event.Daemon, event.Lost, "n", strconv.Itoa(o.lost))
	o.pending = lost.Append(append(o.pending, '*'))
	o.lost = 0
}

// fail drops everything and closes the connection, which ends its reader.
func (o *output) fail() {
	o.mu.Lock()
	o.failed = true
	o.mu.Unlock()
	o.changed.Broadcast()
	o.net.Close()
	o.broken()
}

// flush waits until all is written or the client is gone.
func (o *output) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.writing {
		o.changed.Wait()
	}
}
