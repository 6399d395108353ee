package main

import (
	"strings"
	"time"

	"taskmaster/lib/line"
	"taskmaster/lib/proto"
	"taskmaster/lib/statedir"
)

// A job is a client's start, stop, restart or wait that is not over yet. It
// hangs on the instances it concerns and is told of each of their events.
type job struct {
	d       *daemon
	req     *proto.Request
	reached func(*instance) (done, ok bool, text string)
	open    map[*instance]bool // those it still waits for
	shown   map[*instance]bool // those that are started for them: only their events are shown
	results []string           // a line for each that it no longer waits for, until it is sent
	news    chan struct{}      // holds something when there are results
	failed  int
	silent  bool // no line per instance: wait
	reload  bool // only what went wrong is worth a line
	total   int
	timer   *alarm
	over    chan struct{}
	err     string // why it failed as a whole: time over
}

// newJob begins a job; it ends by itself, or by abandon.
func (d *daemon) newJob(req *proto.Request, list []*instance, reached func(*instance) (bool, bool, string)) *job {
	j := &job{d: d, req: req, reached: reached, open: map[*instance]bool{}, shown: map[*instance]bool{},
		over: make(chan struct{}), news: make(chan struct{}, 1), total: len(list)}
	for _, in := range list {
		j.open[in] = true
		in.addJob(j)
	}
	return j
}

// show adds instances whose events the client is to see.
func (j *job) show(list []*instance) {
	for _, in := range list {
		if !j.open[in] {
			j.shown[in] = true
			in.addJob(j)
		}
	}
}

// addJob has a job be told of an instance.
func (in *instance) addJob(j *job) {
	if in.jobs == nil {
		in.jobs = map[*job]bool{}
	}
	in.jobs[j] = true
}

// dropJob is the end of it; few of thousands of instances have any.
func (in *instance) dropJob(j *job) {
	delete(in.jobs, j)
	if len(in.jobs) == 0 {
		in.jobs = nil
	}
}

// begin looks at all of its instances once, and sets the limit on its time.
func (j *job) begin(limit time.Duration) {
	for in := range j.open {
		j.look(in)
		if in.gone {
			j.lose(in, errStopping.Error())
		}
	}
	j.endIfDone()
	if limit > 0 && len(j.open) > 0 {
		j.timer = j.d.after(limit, func() {
			j.err = "time over"
			j.abandon()
		})
	}
}

// hear shows the client an event of one of its instances.
func (j *job) hear(in *instance, text []byte) {
	if (j.open[in] || j.shown[in]) && !j.silent {
		j.req.Event(strings.TrimSuffix(string(text), "\n"))
	}
}

// look asks whether an instance has come to where the job wants it.
func (j *job) look(in *instance) {
	if !j.open[in] {
		return
	}
	if done, ok, text := j.reached(in); done {
		j.settle(in, ok, text)
	}
}

// lose is the end of an instance that the job waits for.
func (j *job) lose(in *instance, why string) {
	if j.open[in] {
		j.settle(in, false, why)
	}
}

func (j *job) settle(in *instance, ok bool, text string) {
	delete(j.open, in)
	in.dropJob(j)
	word := "ok"
	if !ok {
		word = "fail"
		j.failed++
	}
	switch {
	case j.silent || j.reload && ok:
	case j.reload:
		j.result(in.name + ": " + text)
	default:
		j.result(strings.TrimSuffix(in.name+" "+word+" "+line.Encode(text), " "))
	}
	j.endIfDone()
}

func (j *job) result(text string) {
	j.results = append(j.results, text)
	select {
	case j.news <- struct{}{}:
	default:
	}
}

// sendResults runs on the client's goroutine: answers wait for a slow client,
// and the loop must not.
func (j *job) sendResults() {
	var lines []string
	j.d.ask(func() { lines, j.results = j.results, nil })
	answerAll(j.req, lines)
}

func (j *job) endIfDone() {
	if len(j.open) == 0 {
		j.abandon()
	}
}

// abandon lets go of all instances; the client's goroutine then replies.
func (j *job) abandon() {
	select {
	case <-j.over:
		return
	default:
	}
	for in := range j.open {
		in.dropJob(j)
	}
	for in := range j.shown {
		in.dropJob(j)
	}
	j.d.cancel(j.timer)
	close(j.over)
}

// wait runs on the client's goroutine until the job is over or the client
// wants no more of it, and replies. What was begun goes on.
func (j *job) wait() {
	for waits := true; waits; {
		select {
		case <-j.over:
			waits = false
		case <-j.news:
			j.sendResults()
		case <-j.req.Done():
			j.d.ask(j.abandon)
			if len(j.open) > 0 {
				j.req.Err(proto.State, "ended")
				return
			}
		}
	}
	j.sendResults()
	switch {
	case j.err != "":
		j.req.Err(proto.State, j.err)
	case j.failed > 0 && j.failed == j.total:
		j.req.Err(proto.State, count(j.failed, "instance")+" failed")
	case j.failed > 0:
		j.req.Err(proto.Some, count(j.failed, "instance")+" of "+itoa(j.total)+" failed")
	default:
		j.req.OK(itoa(j.total))
	}
}

// started is the end of a start: RUNNING, or an end as expected; or what it
// waits for will not come. Where it failed, the client first hears of each try.
func (d *daemon) started(in *instance) (done, ok bool, text string) {
	if in.heldBy != "" {
		return d.stuck(in, map[*instance]bool{}), false, in.heldBy
	}
	if !in.heeded() {
		return false, false, ""
	}
	switch in.state() {
	case statedir.Running:
		return true, true, "running (pid " + itoa(in.status.PID) + ")"
	case statedir.Exited:
		return in.toldAll(), in.status.Event.Get("expected") == "yes", in.detail()
	case statedir.Fatal:
		return in.toldAll(), false, strings.TrimSuffix("FATAL: "+in.detail(), ": ")
	case statedir.Stopped:
		return true, false, "stopped by someone else"
	}
	return false, false, ""
}

// ended is the end of a stop.
func ended(in *instance) (done, ok bool, text string) {
	if in.stopsLater || in.before != nil {
		return false, false, ""
	}
	if !in.heeded() && in.helper.pid != 0 {
		return false, false, ""
	}
	switch in.state() {
	case statedir.Stopped, statedir.Exited, statedir.Fatal:
		return true, true, "stopped"
	case statedir.Stopping:
		if strings.HasPrefix(in.status.Detail, "still not gone") {
			return true, false, in.status.Detail
		}
		return false, false, ""
	case statedir.Running, statedir.Starting:
		return in.heeded(), false, "started by someone else"
	}
	return false, false, ""
}
