package main

import (
	"strings"

	"taskmaster/lib/config"
	"taskmaster/lib/die"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"
	"taskmaster/lib/timerslack"
)

// writeSpec writes what the helper is to run, and reports whether it could. A
// helper that lives reads it when it is told to.
func (d *daemon) writeSpec(in *instance) bool {
	s := d.specOf(in.conf)
	if err := statedir.Replace(in.run.Spec(), s.Text()); err != nil {
		die.Warn("unable to write "+in.run.Spec(), err)
		return false
	}
	in.keys, in.tellsSlack = in.conf.Keys, true
	return true
}

// readKeys reads what the helper was last told to run.
func (d *daemon) readKeys(in *instance) bool {
	const usual, most = 8 << 10, 16 << 20
	text, err := statedir.Paths.Read(in.run.Spec(), make([]byte, usual), most)
	if err != nil {
		return false
	}
	s, err := spec.Parse(text)
	if err != nil {
		return false
	}
	in.keys, in.program, in.tellsSlack = configKeys(s.Keys), s.Program, s.TimerSlack != 0
	d.writesAsBefore(in, s)
	return true
}

// specOf is the seam between the configuration and the helper.
func (d *daemon) specOf(c *config.Instance) *spec.Spec {
	s := &spec.Spec{
		Name: c.Name, Program: c.Program, Num: c.Num, State: string(d.dir),
		Cmd: c.Cmd, Env: d.environment(c), Dir: c.WorkingDir, Umask: c.Umask, NoNewPrivs: c.NoNewPrivs,
		Stdout: d.output(c.Stdout), Stderr: d.output(c.Stderr), Nice: c.Nice, OOMScoreAdj: c.OOMScoreAdj,
		Background: c.Background, Restart: c.Autorestart, ExitCodes: c.ExitCodes, StartTime: c.StartTime,
		StartRetries: c.StartRetries, StopSignal: c.StopSignal, StopTime: c.StopTime, StopGroup: c.StopGroup,
		BackoffFirst: c.BackoffFirst, BackoffMax: c.BackoffMax, Watchdog: c.Watchdog, TimerSlack: timerslack.Own(),
	}
	if c.User != nil {
		s.User = &spec.User{UID: c.User.UID, GID: c.User.GID, Groups: c.User.Groups}
	}
	for _, l := range c.Limits {
		s.Limits = append(s.Limits, spec.Limit(l))
	}
	if p := c.Ready; p != nil {
		s.Ready = spec.Ready{Kind: p.Kind, FD: p.FD, Timeout: p.Timeout}
		if p.Kind != spec.Notify && p.Kind != spec.SdNotify {
			s.Ready.Kind = spec.Probed
		}
	}
	s.Keys = specKeys(c.Keys)
	return s
}

func specKeys(keys []*config.Key) []spec.Key {
	out := make([]spec.Key, len(keys))
	for i, k := range keys {
		out[i] = spec.Key{Name: k.Name, Value: k.Value, Launch: k.Launch}
	}
	return out
}

func configKeys(keys []spec.Key) []*config.Key {
	out := make([]*config.Key, len(keys))
	for i, k := range keys {
		out[i] = &config.Key{Name: k.Name, Value: k.Value, Launch: k.Launch}
	}
	return out
}

func (d *daemon) output(o config.Output) spec.Output {
	if o.Kind == spec.Log {
		return spec.Output{Kind: spec.Log, Path: d.dir.Log(o.Path)}
	}
	return spec.Output{Kind: o.Kind, Path: o.Path}
}

// environment is the whole of it: tmd's own unless clearenv, then who the
// user is, the file's env, and what every program is told.
func (d *daemon) environment(c *config.Instance) []string {
	var all []string
	if !c.ClearEnv {
		all = append(all, d.env...)
	}
	if u := c.User; u != nil && u.Name != "" {
		all = append(all, "HOME="+u.Home, "USER="+u.Name, "LOGNAME="+u.Name)
	}
	all = append(all, c.Env...)
	all = append(all, "TM_NAME="+c.Name, "TM_PROGRAM="+c.Program, "TM_NUM="+itoa(c.Num), "TM_STATE="+string(d.dir))
	return lastOfEach(all)
}

// lastOfEach drops what a later entry of the same name replaces.
func lastOfEach(env []string) []string {
	at := make(map[string]int, len(env))
	kept := env[:0]
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		if i, twice := at[name]; twice {
			kept[i] = entry
			continue
		}
		at[name] = len(kept)
		kept = append(kept, entry)
	}
	return kept
}
