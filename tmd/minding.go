package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"taskmaster/lib/event"
)

// probing is the wait for a program that tmd has to ask whether it is ready.
type probing struct {
	who    process
	cancel context.CancelFunc
	timer  *alarm
	told   string // what the helper was told is still wrong
}

// checks is the health of a running instance.
type checks struct {
	who    process
	cancel context.CancelFunc
	timer  *alarm
	failed int    // in a row
	sick   string // what was reported, "" while it is healthy
}

// minding begins and ends probes and checks as an instance's state asks for
// it. An instance without any costs two comparisons.
func (d *daemon) minding(in *instance) {
	if in.conf == nil || in.conf.Ready == nil && in.conf.Check == nil && in.probation == nil && in.checks == nil {
		return
	}
	who := process{in.status.PID, in.status.Start}
	wantsProbe := in.conf.Ready != nil && isProbed(in.conf.Ready.Kind) && in.state() == "STARTING" &&
		!in.status.Ready && who.pid != 0
	if in.probation != nil && (!wantsProbe || in.probation.who != who) {
		d.stopProbing(in)
	}
	if wantsProbe && in.probation == nil {
		d.startProbing(in, who)
	}
	wantsCheck := in.conf.Check != nil && in.up() && who.pid != 0
	if in.checks != nil && (!wantsCheck || in.checks.who != who) {
		d.stopChecks(in)
	}
	if wantsCheck && in.checks == nil {
		d.startChecks(in, who)
	}
}

func isProbed(kind string) bool { return kind == "tcp" || kind == "http" || kind == "cmd" }

// stopMinding ends both.
func (d *daemon) stopMinding(in *instance) {
	d.stopProbing(in)
	d.stopChecks(in)
}

func (d *daemon) startProbing(in *instance, who process) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &probing{who: who, cancel: cancel}
	in.probation = p
	d.probe(in, p, ctx)
}

func (d *daemon) probe(in *instance, p *probing, ctx context.Context) {
	d.prober.ask(ctx, in.conf.Ready, in.conf, probeTime, func(err error) {
		if in.probation != p {
			return
		}
		if err == nil {
			in.tell("ready")
			d.stopProbing(in)
			return
		}
		if text := err.Error(); text != p.told {
			p.told = text
			in.tell("pending", text)
		}
		p.timer = d.after(in.conf.Ready.Interval, func() { d.probe(in, p, ctx) })
	})
}

func (d *daemon) stopProbing(in *instance) {
	if in.probation != nil {
		in.probation.cancel()
		d.cancel(in.probation.timer)
		in.probation = nil
	}
}

// startChecks spreads the checks of many instances over the interval, so that
// they make no spikes.
func (d *daemon) startChecks(in *instance, who process) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &checks{who: who, cancel: cancel}
	in.checks = c
	wait := time.Duration(rand.Int64N(int64(in.conf.Check.Interval) + 1))
	c.timer = d.after(wait, func() { d.check(in, c, ctx) })
}

func (d *daemon) check(in *instance, c *checks, ctx context.Context) {
	conf := in.conf.Check
	if conf == nil {
		return
	}
	d.prober.ask(ctx, &conf.Probe, in.conf, conf.Timeout, func(err error) {
		if in.checks != c {
			return
		}
		c.timer = d.after(conf.Interval, func() { d.check(in, c, ctx) })
		d.checked(in, c, err)
	})
}

// checked counts one result.
func (d *daemon) checked(in *instance, c *checks, err error) {
	conf := in.conf.Check
	if conf == nil {
		return
	}
	if err == nil {
		c.failed = 0
		if c.sick != "" {
			c.sick = ""
			d.tellOf(in, event.Healthy)
		}
		return
	}
	c.failed++
	if c.failed < conf.Failures || c.sick != "" {
		return
	}
	c.sick = fmt.Sprintf("%s failed: %s", count(c.failed, "check"), err)
	d.tellOf(in, event.Unhealthy, "reason", c.sick)
	if conf.Action == "restart" {
		in.tell("sick", "unhealthy: "+c.sick)
	}
}

// tellOf makes an event of an instance that tmd, not its helper, knows of.
func (d *daemon) tellOf(in *instance, kind string, keyValues ...string) {
	e := event.New(time.Now(), in.name, kind, keyValues...)
	d.publish(e, e.Append(nil))
}

func (d *daemon) stopChecks(in *instance) {
	if in.checks != nil {
		in.checks.cancel()
		d.cancel(in.checks.timer)
		in.checks = nil
	}
}
