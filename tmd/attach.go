package main

import (
	"time"

	"taskmaster/lib/config"
	"taskmaster/lib/die"
	"taskmaster/lib/procfs"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// attach makes the world as the configuration has it: helpers that live are
// taken on as a reload would find them, others are started, and what the
// configuration does not have is stopped.
func (d *daemon) attach() {
	var fresh []*instance
	for _, p := range d.file.Programs {
		fresh = append(fresh, d.addProgram(p)...)
	}
	d.attachStrays()
	var held, waited []*instance
	d.takeOn(fresh...)
	for _, in := range fresh {
		d.minding(in)
		switch wish := in.status.Wish; {
		case in.unheeded != "":
			// A user's command is on its way.
		case in.conf.Autostart && (wish == "" || wish == statedir.WishNone):
			held = append(held, in)
		case wish == statedir.WishUp && (in.state() == statedir.Stopped || in.status.Leaving):
			// Someone started it and it had to wait, or it was being stopped
			// by a shutdown that was cut short.
			waited = append(waited, in)
		}
	}
	d.startInOrder(waited, "user")
	d.startInOrder(held, "boot")
	d.logUnused()
}

// addProgram enters a program and those of its instances that are not there
// yet, which it returns.
func (d *daemon) addProgram(c *config.Program) []*instance {
	p := d.programs[c.Name]
	if p == nil {
		p = &program{since: time.Now()}
		d.programs[c.Name] = p
		d.listed = append(d.listed, p)
	}
	p.conf = c
	p.instances = nil
	var fresh []*instance
	for _, conf := range c.Instances {
		in := d.instances[conf.Name]
		if in == nil {
			in = d.newInstance(conf.Name, c.Name)
			fresh = append(fresh, in)
		}
		in.configure(conf)
		p.instances = append(p.instances, in)
	}
	return fresh
}

func (d *daemon) newInstance(name, program string) *instance {
	in := &instance{name: name, program: program, since: time.Now(), run: d.dir.Run(name), control: -1}
	d.instances[name], d.inOrder = in, nil
	return in
}

// attachStrays takes on what runs but is not configured, to stop it.
func (d *daemon) attachStrays() {
	names, err := procfs.Names(d.dir.RunDir())
	if err != nil {
		die.Warn("unable to read "+d.dir.RunDir(), err)
	}
	var strays []*instance
	for _, name := range names {
		if d.instances[name] == nil {
			strays = append(strays, d.newInstance(name, ""))
		}
	}
	d.takeOn(strays...)
	d.remove(strays)
}

// takeOn finds the helpers of instances or starts them. All are forked before
// a descriptor is opened for any: each fork copies, and each exec closes,
// what tmd has open, and thousands would cost the square of their number.
func (d *daemon) takeOn(list ...*instance) {
	for _, in := range list {
		if !d.furnish(in) {
			d.forkHelper(in)
		}
	}
	for _, in := range list {
		d.connect(in)
	}
}

// furnish makes an instance's directory and tells whether its helper lives.
// What an earlier tmd left is brought to the present configuration as a
// reload does it, whether its helper lives or not.
func (d *daemon) furnish(in *instance) (alive bool) {
	if err := in.run.Create(); err != nil {
		die.Warn("unable to make "+string(in.run), err)
	}
	d.refreshQuietly(in)
	known := d.readKeys(in)
	alive = d.findHelper(in)
	in.numbered = in.status.Seq + inFlight
	in.resumeOrder()
	switch {
	case in.conf == nil:
	case known && in.status.State != "":
		d.resumeReload(in)
	default:
		d.writeSpec(in)
	}
	return alive
}

// connect opens what tmd holds open for an instance: its control FIFO and the
// pidfd of its helper, which is still our child or was found with it.
func (d *daemon) connect(in *instance) {
	in.openControl()
	if in.unheeded != "" {
		in.send(in.unheeded)
	}
	if in.helper.pid == 0 {
		return
	}
	if in.helper.pidfd >= 0 {
		if in.status.State == "" {
			in.tell("status") // what it wrote was lost, but it lives and knows
		}
		return
	}
	fd, err := unix.PidfdOpen(in.helper.pid, 0)
	if err != nil {
		die.Warn("unable to watch the helper of "+in.name, err)
		return
	}
	d.watchHelper(in, in.helper.pid, fd)
}

func (d *daemon) refreshQuietly(in *instance) {
	if status, ok := d.readStatus(in); ok {
		in.take(status)
		in.heard = status.Event
	}
}
