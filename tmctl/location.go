package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"taskmaster/lib/die"
	"taskmaster/lib/proto"
	"taskmaster/lib/statedir"
)

// connectTimeout is how long it may take to reach a daemon, letInTimeout how
// long that may take to let us in, since a loaded machine may leave it no time
// for seconds, and floodPatience how long we try while it is flooded: longer
// than a server keeps those who do not authenticate.
const (
	connectTimeout = 900 * time.Millisecond
	letInTimeout   = proto.AuthTimeout
	floodPatience  = proto.AuthTimeout + time.Second
)

// A location says where the daemon is and how to be let in there.
type location struct {
	config string // -c
	state  string // -d
	server string // -s, $TMCTL_SERVER
	secret string // -k, $TMCTL_SECRET_FILE

	settings *settings // of the configuration file, once it was read
}

func locationOf(given proto.Options) *location {
	l := &location{config: given['c'], state: given['d'], server: given['s'], secret: given['k']}
	if l.server == "" {
		l.server = os.Getenv("TMCTL_SERVER")
	}
	if l.secret == "" {
		l.secret = os.Getenv("TMCTL_SECRET_FILE")
	}
	return l
}

// dial connects to the daemon unless ctx is done before. While a flood of
// others takes our place before we could authenticate, it tries again for as
// long as patience. All errors are failures that say it in words.
func (l *location) dial(ctx context.Context, patience time.Duration) (*proto.Client, error) {
	if l.config != "" {
		if _, err := l.read(); err != nil {
			return nil, err // -c names a file that cannot be read
		}
	}
	address, err := l.address()
	if err != nil {
		return nil, err
	}
	secret, missing, err := l.readSecret()
	if err != nil {
		return nil, err
	}
	giveUp := time.Now().Add(patience)
	flooded := false
	for {
		client, err := proto.Dial(ctx, address, secret, connectTimeout, letInTimeout)
		if err == proto.ErrUnproven && l.trusts() {
			client, err = proto.Dial(ctx, address, "", connectTimeout, letInTimeout)
		}
		if err == nil {
			return client, nil
		}
		// A daemon that is flooded may be late as well; one that only is late
		// hangs.
		flooded = flooded || err == proto.ErrFlooded
		if !flooded || err != proto.ErrFlooded && !isLate(err) || time.Now().After(giveUp) || ctx.Err() != nil {
			return nil, notLetIn(address, missing, err)
		}
	}
}

// trusts reports whether a daemon that asks for no secret, and so proves
// nothing, is to be believed though there is a secret: the configuration says
// auth: none, or the daemon lives in the state directory now and has written
// its address there, whatever the file has come to say since.
func (l *location) trusts() bool {
	if l.secret != "" {
		return false
	}
	if l.settings != nil && l.settings.Auth == "none" {
		return true
	}
	state, err := l.stateDir()
	if l.server != "" || err != nil {
		return false
	}
	pid, err := statedir.Holder(state.Lock())
	return err == nil && pid != 0
}

// isLate tells an answer that did not come in time.
func isLate(err error) bool {
	var late net.Error
	return errors.As(err, &late) && late.Timeout()
}

// notLetIn says why dialing failed; missing is the secret file that was not
// found.
func notLetIn(address, missing string, err error) error {
	var refused *proto.Error
	var unknown *net.DNSError
	switch {
	case err == proto.ErrSecret:
		return failed(die.Unreachable, "not let in at %s: it asks for a secret and there is none: %s", address, missing)
	case err == proto.ErrFlooded, errors.As(err, &refused) && refused.Word == proto.Busy:
		return failed(die.Temporary, "not let in at %s: %s", address, err)
	case refused != nil:
		return failed(die.Unreachable, "not let in at %s: wrong secret", address)
	case isLate(err):
		return failed(die.Unreachable, "no answer from tmd at %s", address)
	case errors.As(err, &unknown):
		return failed(die.Unreachable, "unable to connect to tmd at %s: %s", address, unknown.Err)
	}
	return failed(die.Unreachable, "unable to connect to tmd at %s: %s", address, die.Reason(err))
}

// address returns HOST:PORT of the daemon.
func (l *location) address() (string, error) {
	if l.server != "" {
		_, port, err := net.SplitHostPort(l.server)
		if err == nil {
			_, err = net.LookupPort("tcp", port)
		}
		if err != nil {
			return "", failed(die.Usage, "%s: not an address and port, like 127.0.0.1:4242", l.server)
		}
		return l.server, nil
	}
	state, err := l.stateDir()
	if err != nil {
		return "", err
	}
	path := state.Address()
	text, err := os.ReadFile(path)
	if err != nil {
		return "", failed(die.Unreachable, "tmd is not running: unable to read %s: %s", path, die.Reason(err))
	}
	return strings.TrimSpace(string(text)), nil
}

// stateDir is what -d says, else what the configuration file says, else the
// caller's default.
func (l *location) stateDir() (statedir.Dir, error) {
	if l.state != "" {
		return statedir.Dir(l.state), nil
	}
	settings, err := l.read()
	if err != nil {
		return "", err
	}
	if settings.State != "" {
		return statedir.Dir(settings.State), nil
	}
	return statedir.Dir(statedir.Default()), nil
}

// readSecret returns the secret. A default file that does not exist is no
// error, since the daemon may ask for none; missing then says what was not
// found.
func (l *location) readSecret() (secret, missing string, err error) {
	path := l.secret
	if path == "" {
		if path, err = l.defaultSecret(); err != nil {
			return "", "", err
		}
	}
	secret, err = proto.ReadSecret(path)
	switch {
	case err == nil:
		return secret, "", nil
	case l.secret != "":
		return "", "", failed(die.Usage, "unable to read the secret: %s", reasonWithPath(err))
	case errors.Is(err, fs.ErrNotExist):
		return "", path + ": no such file", nil
	case l.settings != nil && l.settings.Auth == "none":
		return "", reasonWithPath(err), nil
	}
	return "", "", failed(die.Unreachable, "unable to read the secret: %s", reasonWithPath(err))
}

// defaultSecret is the file that tmd uses: what the configuration file says,
// else the one in the state directory. With auth: none too, since that may
// have been written into the file for a reload that is still to come.
func (l *location) defaultSecret() (string, error) {
	if l.state == "" || l.config != "" {
		settings, err := l.read()
		if err != nil {
			return "", err
		}
		if settings.Secret != "" {
			return settings.Secret, nil
		}
	}
	state, err := l.stateDir()
	return state.Secret(), err
}

// reasonWithPath gives the reason of a failed open with the path in front.
func reasonWithPath(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Path + ": " + die.Reason(err)
	}
	return err.Error()
}
