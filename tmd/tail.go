package main

import (
	"errors"
	"os"
	"strconv"

	"taskmaster/lib/die"
	"taskmaster/lib/proto"
)

// defaultLines is how many lines tail and log show without -n.
const defaultLines = 10

func doTail(d *daemon, r *proto.Request) {
	o, words, ok := parse(r, "fn:")
	if !ok {
		return
	}
	if len(words) == 0 || len(words) > 2 || len(words) == 2 && words[1] != "stdout" && words[1] != "stderr" {
		r.Err(proto.Bad, "tail: INSTANCE [stdout|stderr]")
		return
	}
	which := "stdout"
	if len(words) == 2 {
		which = words[1]
	}
	var path string
	var list []*instance
	var unknown, nothing error
	d.ask(func() {
		if list, unknown = d.targets(words[:1]); unknown == nil && len(list) == 1 {
			path, nothing = list[0].outputPath(which)
		}
	})
	switch {
	case unknown != nil:
		r.Err(proto.NoProg, unknown.Error())
	case len(list) != 1:
		r.Err(proto.Bad, "tail: "+words[0]+" is "+count(len(list), "instance")+": name one")
	case nothing != nil:
		r.Err(proto.State, nothing.Error())
	default:
		tailFile(r, o, path)
	}
}

// outputPath is the file that an instance's output goes to.
func (in *instance) outputPath(which string) (string, error) {
	if in.conf == nil {
		return "", errors.New(in.name + " is being removed")
	}
	o := in.conf.Stdout
	if which == "stderr" && in.conf.Stderr.Kind != "stdout" {
		o = in.conf.Stderr
	}
	switch o.Kind {
	case "file", "log":
		return o.Path, nil
	case "inherit":
		return "", errors.New(in.name + ": its " + which + " goes to tmd's own")
	}
	return "", errors.New(in.name + ": its " + which + " is discarded; set " + which + ": in the configuration")
}

func doLog(d *daemon, r *proto.Request) {
	o, ok := onlyOptions(r, "fn:")
	if !ok {
		return
	}
	tailFile(r, o, get(d, func() string { return d.log.file }))
}

// tailFile sends the last lines of a file and, with -f, those that follow.
func tailFile(r *proto.Request, o proto.Options, path string) {
	want := defaultLines
	if o.Has('n') {
		n, err := strconv.Atoi(o['n'])
		if err != nil || n < 0 {
			r.Err(proto.Bad, r.Verb+": -n "+o['n']+": not a number of lines")
			return
		}
		want = n
	}
	t := &tailer{r: r, path: path}
	defer t.close()
	if err := t.open(); err != nil && !(o.Has('f') && errors.Is(err, os.ErrNotExist)) {
		r.Err(proto.State, "unable to open "+path+": "+die.Reason(err))
		return
	}
	if err := t.last(want); err != nil {
		r.Err(proto.Temp, "unable to read "+path+": "+die.Reason(err))
		return
	}
	if o.Has('f') {
		if err := t.follow(); err != nil {
			r.Err(proto.Temp, "unable to follow "+path+": "+die.Reason(err))
			return
		}
	} else {
		t.flush()
	}
	r.OK("")
}
