package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"taskmaster/lib/backoff"
	"taskmaster/lib/die"
)

// maxAge is how long a mail is tried (RFC 5321, 4.5.4.1, has four to five
// days).
const maxAge = 5 * 24 * time.Hour

// What became of a letter for one recipient.
const (
	sent     = "sent"
	deferred = "deferred" // try again later
	failed   = "failed"   // never try again
)

// A verdict is what became of a letter for one recipient, and why.
type verdict struct {
	to     string
	result string
	reason string
}

// A delivery is the outcome of one try.
type delivery struct {
	letter   *letter
	verdicts []verdict
	silent   bool // the server let us wait until time was over
	hopeless bool // deferred, but it will not get better by itself
}

// all gives every recipient the same verdict.
func all(to []string, result, reason string) []verdict {
	var verdicts []verdict
	for _, address := range to {
		verdicts = append(verdicts, verdict{address, result, reason})
	}
	return verdicts
}

// deliver hands the letter to the server, or to the local sendmail. It takes
// a bounded time, and ends at once when ctx does.
func deliver(ctx context.Context, s *settings, l *letter, tell func(string)) delivery {
	if s.Sendmail != "" {
		return delivery{letter: l, verdicts: runSendmail(ctx, s, l)}
	}
	return speakSMTP(ctx, s, l, tell)
}

// retryDelay is the wait after a letter was tried so many times without
// success: 5 s, 30 s, then 1, 2, 4 ... 60 minutes, each +-20 %, so that the
// letters of many hosts do not come back together.
func retryDelay(tries int) time.Duration {
	delay := backoff.Delay(time.Minute, time.Hour, tries-2)
	switch {
	case tries <= 1:
		delay = 5 * time.Second
	case tries == 2:
		delay = 30 * time.Second
	}
	return time.Duration(float64(delay) * (0.8 + 0.4*rand.Float64()))
}

// sendNext begins to deliver the oldest letter that is due, if none is on its
// way.
func (n *notifier) sendNext(now time.Time) {
	if n.sending != nil {
		return
	}
	for _, l := range n.queue {
		if n.closing && !l.last || !n.closing && !l.next.After(now) {
			l.last = n.closing
			n.sending = l
			n.send(l)
			return
		}
	}
}

// tryAll makes every letter due.
func (n *notifier) tryAll() {
	for _, l := range n.queue {
		l.next = time.Time{}
	}
}

// close ends the input: all stories become letters, and each letter is tried
// once more.
func (n *notifier) close() { n.closing = true }

// done reports whether, the input being at its end, nothing is left to try.
func (n *notifier) done() bool {
	return n.closing && n.sending == nil && !slices.ContainsFunc(n.queue, func(l *letter) bool { return !l.last })
}

// settle does what the outcome of a try demands, and says it.
func (n *notifier) settle(now time.Time, d delivery) {
	l := d.letter
	n.sending = nil
	l.tries++
	delay := retryDelay(l.tries)
	if n.closing {
		delay = 0 // there is no next try
	}
	for i := range d.verdicts {
		if v := &d.verdicts[i]; v.result == deferred && now.Sub(l.Made) > maxAge {
			v.result, v.reason = failed, "given up after 5 days: "+v.reason
		}
	}
	report(now, l, d.verdicts, delay)
	waiting := n.setAside(l, d.verdicts)
	if len(waiting) == 0 {
		n.drop(l)
		return
	}
	l.next = now.Add(delay)
	if len(waiting) < len(l.To) {
		l.To, l.saved = waiting, false
		n.save(now)
	}
	if d.silent && n.closing { // or the end would take as long as the queue
		for _, other := range n.queue {
			other.last = true
		}
	}
}

// setAside puts what was refused into failed/ and returns who still waits.
func (n *notifier) setAside(l *letter, verdicts []verdict) []string {
	var waiting, refused, why []string
	for _, v := range verdicts {
		switch v.result {
		case deferred:
			waiting = append(waiting, v.to)
		case failed:
			refused = append(refused, v.to)
			why = append(why, v.to+": "+v.reason)
		}
	}
	if refused == nil {
		return waiting
	}
	if err := n.spool.fail(l, refused, why); err != nil {
		// Better a mail that is refused again than one that is gone.
		die.Warn("unable to keep a refused mail in failed, keeping it in the queue", err)
		waiting = append(waiting, refused...)
	}
	return waiting
}

// drop takes a letter that nobody waits for any more out of the queue.
func (n *notifier) drop(l *letter) {
	n.queue = slices.DeleteFunc(n.queue, func(other *letter) bool { return other == l })
	if err := n.spool.remove("queue", l.ID); err != nil {
		die.Warn("unable to remove a delivered mail, it will be sent again: "+l.ID, err)
	}
}
