package main

import (
	"errors"
	"time"
)

// A stampFormat is the time in front of each line.
type stampFormat string

const (
	noStamp stampFormat = "none"
	// rfc3339 is UTC with microseconds: "2026-11-22T14:03:07.123456Z ".
	rfc3339 stampFormat = "rfc3339"
	// tai64n is multilog's "@" and 24 hex digits, which tai64nlocal(1) reads.
	tai64n stampFormat = "tai64n"
)

const rfc3339Micro = "2006-01-02T15:04:05.000000Z "

// taiEpoch is what daemontools adds to a Unix time, and its tai64nlocal takes
// off again: 2^62 of TAI64 and the 10 s by which TAI was ahead in 1970. Leap
// seconds since then are left out, as there; s6 counts them in.
const taiEpoch = 1<<62 + 10

func parseStamp(name string) (stampFormat, error) {
	switch f := stampFormat(name); f {
	case noStamp, rfc3339, tai64n:
		return f, nil
	}
	return noStamp, errors.New("the formats are none, rfc3339 and tai64n")
}

// append appends the stamp of t and a space to dst, nothing for noStamp.
func (f stampFormat) append(dst []byte, t time.Time) []byte {
	switch f {
	case rfc3339:
		return t.UTC().AppendFormat(dst, rfc3339Micro)
	case tai64n:
		dst = append(dst, '@')
		dst = appendHex(dst, uint64(t.Unix())+taiEpoch, 16)
		dst = appendHex(dst, uint64(t.Nanosecond()), 8)
		return append(dst, ' ')
	}
	return dst
}

func appendHex(dst []byte, n uint64, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[n>>shift&15])
	}
	return dst
}
