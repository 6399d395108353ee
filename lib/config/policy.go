package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/signame"
)

// The keys that say what is done with a process.

// maxNumprocs bounds one program; all programs together are bounded by
// maxCost.
const maxNumprocs = 10000

func (b *builder) readNumprocs(v value) string {
	b.program.Numprocs = b.integer(v, 0, maxNumprocs)
	return strconv.Itoa(b.program.Numprocs)
}

func (b *builder) readAutostart(v value) string {
	b.in.Autostart = b.boolean(v)
	return strconv.FormatBool(b.in.Autostart)
}

func (b *builder) readAutorestart(v value) string {
	v, ok := b.plain(v)
	switch on, is := booleanOf(v); {
	case !ok:
	case is && on:
		b.in.Autorestart = "always"
	case is:
		b.in.Autorestart = "never"
	default:
		b.in.Autorestart = b.choice(v, "unexpected", "always", "never")
	}
	return b.in.Autorestart
}

func (b *builder) readExitCodes(v value) string {
	var codes []int
	for _, item := range b.list(v) {
		codes = append(codes, b.integer(item, 0, 255))
	}
	slices.Sort(codes)
	b.in.ExitCodes = slices.Compact(codes)
	shown := make([]string, len(b.in.ExitCodes))
	for i, code := range b.in.ExitCodes {
		shown[i] = strconv.Itoa(code)
	}
	return bracketed(shown...)
}

func (b *builder) readStartTime(v value) string {
	b.in.StartTime = b.duration(v, 0)
	return formatDuration(b.in.StartTime)
}

func (b *builder) readStartRetries(v value) string {
	b.in.StartRetries = b.integer(v, 0, 1_000_000)
	return strconv.Itoa(b.in.StartRetries)
}

func (b *builder) readStopSignal(v value) string {
	text := b.expandWord(v)
	if text == "" {
		return ""
	}
	sig, ok := signame.Parse(text)
	if !ok {
		b.bad(v, "no signal %s%s", quoted(text), b.didYouMean(strings.TrimPrefix(strings.ToUpper(text), "SIG"), signame.All()))
		return ""
	}
	b.in.StopSignal = int(sig)
	return signame.Of(sig)
}

func (b *builder) readStopTime(v value) string {
	b.in.StopTime = b.duration(v, 0)
	return formatDuration(b.in.StopTime)
}

func (b *builder) readStopGroup(v value) string {
	b.in.StopGroup = b.choice(v, "tree", "group", "process")
	return b.in.StopGroup
}

func (b *builder) readPriority(v value) string {
	b.in.Priority = b.integer(v, -1_000_000, 1_000_000)
	return strconv.Itoa(b.in.Priority)
}

// minBackoff keeps a program that cannot start from being tried in a busy
// loop.
const minBackoff = time.Millisecond

func (b *builder) readBackoff(v value) string {
	var first, most value
	for layer := &v; layer != nil; layer = layer.below {
		fields := b.fields(*layer, "first", "max")
		if given, ok := fields["first"]; ok && first.node == nil {
			first = given
			b.in.BackoffFirst = b.duration(first, minBackoff)
		}
		if given, ok := fields["max"]; ok && most.node == nil {
			most = given
			b.in.BackoffMax = b.duration(most, minBackoff)
		}
	}
	if b.in.BackoffMax < b.in.BackoffFirst {
		switch {
		case most.isBuiltin():
			b.in.BackoffMax = b.in.BackoffFirst
		case first.isBuiltin():
			b.in.BackoffFirst = b.in.BackoffMax
		default:
			b.bad(most, "%s is shorter than first, %s", formatDuration(b.in.BackoffMax), formatDuration(b.in.BackoffFirst))
		}
	}
	return braced("first: "+formatDuration(b.in.BackoffFirst), "max: "+formatDuration(b.in.BackoffMax))
}

func (b *builder) readDescription(v value) string {
	b.in.Description = b.expandText(v)
	return quoteWord(b.in.Description)
}
