package main

import (
	"context"
	"math/rand/v2"
	"time"

	"taskmaster/lib/config"
	"taskmaster/lib/event"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"
)

// A probing is the wait for a program that tmd has to ask whether it is ready.
// It is tmd that says when it has waited long enough, so that a program does
// not fail to start because tmd was away.
type probing struct {
	who    process
	cancel context.CancelFunc
	again  *alarm // when it is asked next
	over   *alarm // when its time is up
	asking bool
	answer string // what was wrong when it was last asked, "" before
	isLate bool   // the answer that is awaited is the last
}

// A checking is the health of a running instance.
type checking struct {
	conf   *config.Check
	who    process
	cancel context.CancelFunc
	again  *alarm
	failed int    // in a row
	sick   string // what was reported, "" while it is healthy
}

// minding begins and ends probes and checks as an instance's state asks for
// it. An instance that has none costs a few comparisons.
func (d *daemon) minding(in *instance) {
	in.keepNotify()
	who := process{in.status.PID, in.status.Start}
	if p := in.probing; p != nil && (!in.wantsProbe() || p.who != who) {
		d.stopProbing(in)
	}
	if in.probing == nil && in.wantsProbe() {
		d.startProbing(in, who)
	}
	if c := in.checking; c != nil && (!in.wantsCheck() || c.who != who) {
		d.stopChecks(in)
	}
	if in.checking == nil && in.wantsCheck() {
		d.startChecks(in, who)
	}
}

func (in *instance) wantsProbe() bool {
	return in.conf != nil && in.conf.Ready != nil && isProbed(in.conf.Ready.Kind) &&
		in.state() == statedir.Starting && !in.status.Ready && in.status.PID != 0
}

func (in *instance) wantsCheck() bool {
	return in.conf != nil && in.conf.Check != nil && in.up() && in.status.PID != 0
}

func isProbed(kind string) bool { return kind == "tcp" || kind == "http" || kind == "cmd" }

// mindAnew begins again what a reload has changed.
func (d *daemon) mindAnew(in *instance, changes []config.Change) {
	for _, c := range changes {
		switch c.Name {
		case "ready":
			d.stopProbing(in)
		case "check":
			d.stopChecks(in)
		}
	}
	d.minding(in)
}

// stopMinding ends both.
func (d *daemon) stopMinding(in *instance) {
	d.stopProbing(in)
	d.stopChecks(in)
}

// startProbing asks at once. Its time counts from the start of the program;
// if it was up while no tmd could ask, one answer is still waited for.
func (d *daemon) startProbing(in *instance, who process) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &probing{who: who, cancel: cancel}
	in.probing = p
	p.over = d.after(in.conf.Ready.Timeout-in.uptime(), func() { d.readyTimeOver(in, p) })
	d.askReady(ctx, in, p)
}

func (d *daemon) askReady(ctx context.Context, in *instance, p *probing) {
	p.asking = true
	d.prober.ask(ctx, forReady, in.conf.Ready, in.conf, min(probeTime, in.conf.Ready.Timeout), func(err error) {
		if in.probing != p {
			return
		}
		p.asking = false
		if err == nil {
			d.cancel(p.over)
			in.tell("ready", itoa(p.who.pid))
			return
		}
		if text := err.Error(); text != p.answer {
			p.answer = text
			in.tell("pending", itoa(p.who.pid), text)
		}
		if p.isLate {
			d.readyTimeOver(in, p)
			return
		}
		p.again = d.after(in.conf.Ready.Interval, func() { d.askReady(ctx, in, p) })
	})
}

// readyTimeOver gives the start up, unless its first and only answer is still
// to come.
func (d *daemon) readyTimeOver(in *instance, p *probing) {
	if p.asking && p.answer == "" {
		p.isLate = true
		return
	}
	d.cancel(p.again)
	p.cancel()
	in.tell("late", itoa(p.who.pid), p.answer)
}

func (d *daemon) stopProbing(in *instance) {
	if p := in.probing; p != nil {
		p.cancel()
		d.cancel(p.again)
		d.cancel(p.over)
		in.probing = nil
	}
}

// pulse is how far apart checks are made. Those that fall on one pulse share a
// wakeup of tmd, which costs more than a check; they are too few for a spike.
const pulse = 250 * time.Millisecond

// untilPulse is how long to wait for the pulse that is nearest to the end of
// wait. A short interval has pulses of its own, over which its checks spread.
func untilPulse(now, wait, interval time.Duration) time.Duration {
	return (now + wait).Round(min(pulse, interval/16)) - now
}

// startChecks spreads the checks of many instances over the interval, so that
// they make no spikes.
func (d *daemon) startChecks(in *instance, who process) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &checking{conf: in.conf.Check, who: who, cancel: cancel}
	in.checking = c
	if !in.ill {
		in.resumeIllness(c)
	}
	wait := time.Duration(rand.Int64N(int64(c.conf.Interval) + 1))
	d.checkAgain(ctx, in, c, wait)
}

func (d *daemon) checkAgain(ctx context.Context, in *instance, c *checking, wait time.Duration) {
	wait = untilPulse(time.Since(d.prober.began), wait, c.conf.Interval)
	c.again = d.after(wait, func() { d.check(ctx, in, c) })
}

func (d *daemon) check(ctx context.Context, in *instance, c *checking) {
	d.prober.ask(ctx, forCheck, &c.conf.Probe, in.conf, c.conf.Timeout, func(err error) {
		if in.checking != c {
			return
		}
		d.checkAgain(ctx, in, c, c.conf.Interval)
		if err == nil {
			d.checkedWell(in, c)
		} else {
			d.checkedBadly(in, c, err)
		}
	})
}

// checkedWell tells of a recovery, also when a restart brought it.
func (d *daemon) checkedWell(in *instance, c *checking) {
	c.failed, c.sick = 0, ""
	if in.ill {
		in.getWell()
		d.tellOf(in, event.Healthy)
	}
}

// checkedBadly tells once of so many failures in a row.
func (d *daemon) checkedBadly(in *instance, c *checking, err error) {
	c.failed++
	if c.failed < c.conf.Failures || c.sick != "" {
		return
	}
	c.sick = count(c.failed, "check") + " failed: " + err.Error()
	in.fallIll(c)
	d.tellOf(in, event.Unhealthy, "reason", c.sick, "action", c.conf.Action)
	if c.conf.Action == "restart" {
		in.tell("sick", itoa(c.who.pid), "unhealthy: "+c.sick)
	}
}

func (d *daemon) stopChecks(in *instance) {
	if c := in.checking; c != nil {
		c.cancel()
		d.cancel(c.again)
		in.checking = nil
	}
}

// hearStatus looks at what a program said of itself by sd_notify(3): that is
// no event, since it may say so as often as it likes.
func (d *daemon) hearStatus(in *instance) {
	if in.conf == nil || in.conf.Ready == nil || in.conf.Ready.Kind != spec.SdNotify {
		return
	}
	if status, err := in.run.ReadStatus(); err == nil && status.PID == in.status.PID && status.State == in.status.State {
		in.status.Detail = status.Detail
	}
}

// tellOf makes an event of an instance that tmd, not its helper, knows of.
func (d *daemon) tellOf(in *instance, kind string, keyValues ...string) {
	e := event.New(time.Now(), in.name, kind, keyValues...)
	text := e.Append(nil)
	d.publish(e, text)
	for j := range in.jobs {
		j.hear(in, text)
	}
}
