package main

import (
	"errors"
	"net"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"taskmaster/lib/config"
	"taskmaster/lib/die"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"
)

// A reloading is one reload on its way; there is one at a time.
type reloading struct {
	d     *daemon
	by    string
	file  *config.File
	steps []step
	l     net.Listener // bound to a new address, nil when that stays

	access *access // from then on
}

var errStopping = errors.New("tmd is shutting down")

var errState = errors.New("the state directory cannot change while tmd runs")

// prepare reads the file and makes sure that all of it can be applied; it
// changes nothing. It runs beside the loop, since getent(1) may take its time.
func (d *daemon) prepare(by string) (*reloading, []string, error) {
	file, mistakes := config.Load(d.options.config, loadOptions(d.options, d.runBeside))
	if len(mistakes) > 0 {
		var lines []string
		for _, m := range mistakes {
			lines = append(lines, m.Error())
		}
		return nil, lines, nil
	}
	r := &reloading{d: d, by: by, file: file}
	var err error
	d.ask(func() { err = r.check() })
	if err != nil {
		r.drop()
		return nil, nil, err
	}
	return r, nil, nil
}

// check runs in the loop.
func (r *reloading) check() error {
	d, s := r.d, r.file.Settings
	if d.stopping {
		return errStopping
	}
	path, err := stateDir(d.options, r.file)
	if err != nil {
		return err
	}
	if path != string(d.dir) {
		return errState
	}
	if r.access, err = d.accessFor(s); err != nil {
		return err
	}
	if s.Listen != d.file.Settings.Listen {
		l, err := listenAt(s.Listen)
		if err != nil {
			return errors.New("unable to listen on " + s.Listen + ": " + die.Reason(err))
		}
		r.l = l
	}
	r.steps = d.plan(r.file)
	return nil
}

// drop is the end of a plan that is not to be applied.
func (r *reloading) drop() {
	if r.l != nil {
		r.l.Close()
	}
	if r.access != nil {
		r.access.drop()
	}
}

// apply makes the world as the new file has it, and returns what has to come
// of it before the reload is over: what is started anew, and what goes.
func (r *reloading) apply() (starts, goes []*instance) {
	d := r.d
	r.applySettings()
	for _, s := range r.steps {
		if s.conf == nil {
			d.tell("removed", "name", s.name)
			goes = append(goes, s.in)
		}
	}
	d.remove(goes)
	d.enterPrograms(r.file)
	added, restarted, changed := r.applySteps()
	d.restartChanged(restarted)
	fresh := slices.DeleteFunc(slices.Clone(added), func(in *instance) bool { return !in.conf.Autostart })
	d.startInOrder(fresh, "reload")
	d.logUnused()
	d.tell("reload", "by", r.by, "added", itoa(len(added)), "removed", itoa(len(goes)),
		"restarted", itoa(len(restarted)), "changed", itoa(changed))
	return append(restarted, fresh...), goes
}

// applySettings puts the taskmaster: map into effect, and has the log writers
// there before any program that writes to them.
func (r *reloading) applySettings() {
	d := r.d
	opened := r.file.Settings.Auth != d.file.Settings.Auth
	d.file = r.file
	if opened {
		d.warnIfOpen()
	}
	d.grant(r.access)
	if r.l != nil {
		d.listener.Close()
		d.listener = r.l
		d.announceAddress()
		go d.serve(r.l)
	}
	warnLimits(r.file)
	d.startLogs(r.file)
	d.changeEventLog()
	d.startMail(r.file.Settings.Mail)
}

// applySteps adds instances and brings those up to date that go on. No program
// is started yet: that is done in order, once all are known.
func (r *reloading) applySteps() (added, restarted []*instance, changed int) {
	d := r.d
	for _, s := range r.steps {
		switch {
		case s.conf == nil:
		case s.in == nil:
			d.tell("added", "name", s.name)
			added = append(added, d.add(s.conf))
		default:
			d.tell("changed", "name", s.name, "keys", changedKeys(s.changes))
			if s.restarts() {
				restarted = append(restarted, s.in)
			} else {
				d.bringUpToDate(s.in)
				changed++
			}
		}
	}
	return added, restarted, changed
}

func changedKeys(changes []config.Change) string {
	var names []string
	for _, c := range changes {
		names = append(names, c.Name)
	}
	return strings.Join(names, ",")
}

// enterPrograms takes the new file's programs for the known ones.
func (d *daemon) enterPrograms(file *config.File) {
	d.programs, d.listed, d.ranks = map[string]*program{}, nil, map[string]int{}
	for _, c := range file.Programs {
		p := &program{conf: c, since: time.Now()}
		d.programs[c.Name] = p
		d.listed = append(d.listed, p)
		for _, conf := range c.Instances {
			if in := d.instances[conf.Name]; in != nil && !in.removing {
				in.configure(conf)
				p.instances = append(p.instances, in)
			}
		}
	}
}

// add enters an instance that the file has and that does not run yet. One
// that is still being removed is waited for.
func (d *daemon) add(conf *config.Instance) *instance {
	old := d.instances[conf.Name]
	in := d.newInstance(conf.Name, conf.Program)
	in.configure(conf)
	p := d.programs[conf.Program]
	p.instances = append(p.instances, in)
	if old == nil {
		d.takeOn(in)
		return in
	}
	// Its directory is in use until the old one has gone.
	in.before = old
	old.removed = append(old.removed, func() {
		in.before = nil
		if in.removing {
			d.forget(in)
			return
		}
		d.takeOn(in)
	})
	return in
}

// restartChanged brings instances up to date that have to be restarted for it,
// in their order where they have one.
func (d *daemon) restartChanged(list []*instance) {
	if d.haveOrder(list) {
		d.restartInOrder(list, "reload", func(in *instance) { d.renew(in) })
		return
	}
	for _, in := range list {
		d.bringUpToDate(in)
	}
}

// bringUpToDate gives a helper the present configuration of its instance and
// restarts the program where that takes it. What is not up is started by the
// next release.
func (d *daemon) bringUpToDate(in *instance) {
	if d.renew(in) {
		d.startAnew(in)
	}
}

// resumeReload does for an instance what a reload had begun when the tmd
// before this one was killed. The spec may be the new one already, while the
// helper never heard of it: its status has the sums of what it goes by.
func (d *daemon) resumeReload(in *instance) {
	had := spec.SumsOf(specKeys(in.keys))
	if in.status.Keys != 0 && in.status.Keys != had.All {
		in.tell("reload")
	}
	behind := in.status.Launched != 0 && in.status.Launched != had.Launch
	if d.renew(in) || behind && in.takesRestart() {
		d.startAnew(in)
	}
}

func (d *daemon) startAnew(in *instance) {
	switch in.state() {
	case statedir.Backoff, statedir.Fatal:
		d.batch.held[in] = "reload"
	default:
		d.order(in, "restart", "reload")
	}
}

// renew gives a helper the present configuration, and reports whether its
// program has to be restarted for it.
func (d *daemon) renew(in *instance) (restarts bool) {
	s := step{name: in.name, in: in, conf: in.conf, changes: config.Diff(in.keys, in.conf.Keys)}
	if len(s.changes) == 0 {
		in.keys = in.conf.Keys // one of the two in memory is enough
		return false
	}
	if in.status.Since != 0 && in.status.PID == 0 {
		// A helper that has yet to find its program looks for that of the
		// spec it was started from; the new one must wait.
		in.outdated = true
		return false
	}
	if !d.writeSpec(in) {
		d.renewLater(in)
		return false
	}
	in.tell("reload")
	d.mindAnew(in, s.changes)
	return s.restarts()
}

// renewLater tries again once there may be room for the spec.
func (d *daemon) renewLater(in *instance) {
	if in.respec != nil {
		return
	}
	in.respec = d.after(time.Second, func() {
		in.respec = nil
		if !in.removing && !in.gone {
			d.bringUpToDate(in)
			d.release() // one that was FATAL has no news that would start it
		}
	})
}

// reload is the whole of it: answer takes each line of the plan, and applied
// is called in the loop with what begins and what goes, before any of it can
// have come to an end.
func (d *daemon) reload(by string, answer func(string), applied func(starts, goes []*instance)) (mistakes []string, err error) {
	d.oneReload.Lock()
	defer d.oneReload.Unlock()
	r, mistakes, err := d.prepare(by)
	if len(mistakes) > 0 || err != nil {
		d.do(func() { d.reloadFailed(by, mistakes, err) })
		return mistakes, err
	}
	for _, s := range r.steps {
		for _, text := range s.lines() {
			answer(text)
		}
	}
	d.ask(func() { applied(r.apply()) })
	go debug.FreeOSMemory() // a file takes many times its size to read
	return nil, nil
}

func (d *daemon) reloadFailed(by string, mistakes []string, err error) {
	reason := ""
	if err != nil {
		reason = err.Error()
	} else {
		reason = mistakes[0]
		if len(mistakes) > 1 {
			reason += " (and " + count(len(mistakes)-1, "more mistake") + ")"
		}
	}
	d.tell("reloadfail", "by", by, "reason", reason)
	for _, text := range mistakes {
		sayLine(text)
	}
	die.Warn("the configuration was not reloaded: "+reason, nil)
}
