package statedir

import (
	"strings"

	"golang.org/x/sys/unix"
)

// NotifyFD is the descriptor under which a helper has the socket on which its
// program speaks sd_notify(3), so that tmd finds it by pidfd_getfd(2).
// KeptNotifyFD is the one under which tmd gives its copy to the next helper.
const (
	NotifyFD     = 60
	KeptNotifyFD = 3
)

// SocketName returns the abstract name that a Unix socket is bound to, without
// the leading null byte; "" when it has none or is no such socket.
func SocketName(fd int) string {
	address, err := unix.Getsockname(fd)
	if err != nil {
		return ""
	}
	local, ok := address.(*unix.SockaddrUnix)
	if !ok {
		return ""
	}
	name, _ := strings.CutPrefix(local.Name, "@")
	return name
}
