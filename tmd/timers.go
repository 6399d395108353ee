package main

import (
	"container/heap"
	"time"
)

// An alarm is something to do at a time.
type alarm struct {
	at    time.Time
	call  func()
	index int // in the heap, -1 when it is not there
}

// after runs a function in the loop once the time is over.
func (d *daemon) after(wait time.Duration, call func()) *alarm {
	a := &alarm{at: time.Now().Add(wait), call: call}
	heap.Push(&d.timers, a)
	return a
}

// cancel takes an alarm back; a nil one, or one that has run, is no mistake.
func (d *daemon) cancel(a *alarm) {
	if a != nil && a.index >= 0 {
		heap.Remove(&d.timers, a.index)
	}
}

func (d *daemon) armTimer() {
	if len(d.timers) == 0 {
		d.timer.Stop()
		return
	}
	d.timer.Reset(time.Until(d.timers[0].at))
}

func (d *daemon) runDue() {
	now := time.Now()
	for len(d.timers) > 0 && !d.timers[0].at.After(now) {
		heap.Pop(&d.timers).(*alarm).call()
	}
}

// timers is a heap of alarms, the next one first.
type timers []*alarm

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i]; t[i].index, t[j].index = i, j }
func (t *timers) Push(x any)        { a := x.(*alarm); a.index = len(*t); *t = append(*t, a) }
func (t *timers) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	last.index = -1
	return last
}
