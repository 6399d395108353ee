package main

import (
	"errors"
	"os"
	"strings"

	"taskmaster/lib/config"
	"taskmaster/lib/die"
	"taskmaster/lib/proto"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// An access is what a client has to prove. It is never changed but replaced by
// the loop, and read by the goroutine of each client: a flood of those must
// not have the loop answer thousands of questions a second.
type access struct {
	auth     string // "secret" or "none"
	secret   string // 64 hex digits, "" lets nobody in
	readonly string // the same for who may only look

	made []string // the files of secrets that were missing before
}

// openAccess reads or makes the secrets of the configuration, or exits.
func (d *daemon) openAccess() {
	a, err := d.accessFor(d.file.Settings)
	if err != nil {
		die.Fatal(die.Usage, err.Error(), nil)
	}
	d.grant(a)
}

// accessFor reads the secrets that settings name, and makes those that are
// missing.
func (d *daemon) accessFor(s config.Settings) (*access, error) {
	a := &access{auth: s.Auth}
	if a.auth == "none" {
		return a, nil
	}
	var err error
	path := d.secretPath(s)
	if a.secret, err = a.readOrMake(path); err == nil && s.ReadonlySecret != "" {
		path = s.ReadonlySecret
		a.readonly, err = a.readOrMake(path)
		if err == nil && a.readonly == a.secret {
			err = errSameSecret // who has it would be let in for all
		}
	}
	if err != nil {
		a.drop()
		// proto names the path for tmctl's sake, os does, die.Reason drops that.
		reason := strings.TrimPrefix(die.Reason(err), path+": ")
		return nil, errors.New("unable to use the secret " + path + ": " + reason)
	}
	return a, nil
}

// drop is the end of an access that was never granted: secrets made for it
// would have clients ask for proofs that nobody can give.
func (a *access) drop() {
	for _, path := range a.made {
		unix.Unlink(path)
	}
}

// grant puts an access into effect for all clients to come. With auth: none
// the default secret goes: a tmctl that finds one would not trust a server
// that asks for none.
func (d *daemon) grant(a *access) {
	d.access.Store(a)
	if a.auth == "none" {
		unix.Unlink(d.dir.Secret())
	}
}

func (d *daemon) secretPath(s config.Settings) string {
	if s.Secret != "" {
		return s.Secret
	}
	return d.dir.Secret()
}

// readOrMake reads a secret file, which proto checks for owner and mode, and
// makes it when it does not exist.
func (a *access) readOrMake(path string) (string, error) {
	secret, err := proto.ReadSecret(path)
	if !errors.Is(err, os.ErrNotExist) {
		return secret, err
	}
	secret = proto.NewSecret()
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return "", err
	}
	err = statedir.WriteAll(fd, []byte(secret+"\n"))
	if e := unix.Close(fd); err == nil {
		err = e
	}
	if err != nil {
		unix.Unlink(path) // half a secret would be refused at every later start
		return "", err
	}
	a.made = append(a.made, path)
	return secret, nil
}

var errSameSecret = errors.New("it is the same as the one that allows all")

var errNoAuth = errors.New("auth is none: there is no secret")

// rekey makes a new secret. Clients that are in stay in.
func (d *daemon) rekey() error {
	a := *d.access.Load()
	if a.auth == "none" {
		return errNoAuth
	}
	a.secret = proto.NewSecret()
	err := statedir.Replace(d.secretPath(d.file.Settings), []byte(a.secret+"\n"))
	if err == nil {
		d.grant(&a)
	}
	return err
}

func doRekey(d *daemon, r *proto.Request) {
	if _, ok := onlyOptions(r, ""); !ok {
		return
	}
	var err error
	d.ask(func() { err = d.rekey() })
	switch err {
	case nil:
		r.OK("a new secret is in effect")
	case errNoAuth:
		r.Err(proto.State, err.Error())
	default:
		r.Err(proto.Temp, "unable to write the secret: "+err.Error())
	}
}
