package proto

import (
	"net/netip"
	"sync"
	"time"
)

// denials remembers who was told of as not let in, so that each origin is
// told of at most once a second. It holds those of two seconds at most, and is
// cleaned no more than once a second: a flood from many addresses costs a map
// entry for each refusal and no search.
type denials struct {
	mu      sync.Mutex
	told    map[string]time.Time
	cleaned time.Time
}

// first reports whether a refusal is to be told of.
func (r *denials) first(origin string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.cleaned) >= time.Second {
		for other, at := range r.told {
			if now.Sub(at) >= time.Second {
				delete(r.told, other)
			}
		}
		r.cleaned = now
	}
	if at, told := r.told[origin]; told && now.Sub(at) < time.Second {
		return false
	}
	if r.told == nil {
		r.told = make(map[string]time.Time)
	}
	r.told[origin] = now
	return true
}

// origin is what counts as one address: all of 127.0.0.0/8, any of which every
// user of this host may connect from, and a /64 of IPv6, which is what one
// site has (RFC 4291, 2.5.4). A flood from all of them must not fill the log.
func origin(peer string) string {
	from, err := netip.ParseAddrPort(peer)
	if err != nil {
		return peer
	}
	addr := from.Addr().Unmap()
	bits := addr.BitLen()
	switch {
	case addr.IsLoopback():
		return "loopback"
	case addr.Is6():
		bits = 64
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return peer
	}
	return prefix.String()
}
