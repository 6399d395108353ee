package main

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"

	"taskmaster/lib/die"
	"taskmaster/lib/proto"
	"taskmaster/lib/statedir"
)

// listen binds the address of the configuration, or exits.
func (d *daemon) listen() {
	d.openAccess()
	l, err := d.bind(d.file.Settings.Listen)
	if err != nil {
		die.Fatal(die.Temporary, "unable to listen on "+d.file.Settings.Listen, err)
	}
	d.listener = l
	d.announceAddress()
	d.clients = &proto.Server{
		Auth:     func() string { return d.access.Load().auth },
		Secret:   func() string { return d.access.Load().secret },
		Readonly: func() string { return d.access.Load().readonly },
		Handle:   d.handle,
		Denied:   func(peer, reason string) { d.do(func() { d.tell("denied", "peer", peer, "reason", reason) }) },
	}
	d.warnIfOpen()
}

// warnIfOpen says what auth: none means.
func (d *daemon) warnIfOpen() {
	if d.file.Settings.Auth == "none" {
		die.Warn("auth is none: every user of this machine may control what tmd runs", nil)
	}
}

// bind listens on an address. A port 0 is first tried as the one that the tmd
// before this one had, so that those who know it find us again.
func (d *daemon) bind(address string) (net.Listener, error) {
	if l := takeOver(address); l != nil {
		return l, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err == nil && port == "0" {
		if before, err := os.ReadFile(d.dir.Address()); err == nil {
			if was, last, err := net.SplitHostPort(strings.TrimSpace(string(before))); err == nil && was == host {
				if l, err := listenAt(net.JoinHostPort(host, last)); err == nil {
					return l, nil
				}
			}
		}
	}
	return listenAt(address)
}

// listenAt binds an address; one of IPv4 and no other, where net.Listen takes
// 0.0.0.0 for all addresses of IPv6 as well.
func listenAt(address string) (net.Listener, error) {
	network := "tcp"
	if at, err := netip.ParseAddrPort(address); err == nil && at.Addr().Is4() {
		network = "tcp4"
	}
	l, err := net.Listen(network, address)
	var unknown *net.DNSError
	if errors.As(err, &unknown) {
		err = errors.New(unknown.Err) // without the server that was asked
	}
	return l, err
}

func (d *daemon) announceAddress() {
	if err := statedir.Replace(d.dir.Address(), []byte(d.listener.Addr().String()+"\n")); err != nil {
		die.Warn("unable to write "+d.dir.Address(), err)
	}
}

func (d *daemon) serve(l net.Listener) {
	defer die.OnPanic()
	if err := d.clients.Serve(l); err != nil {
		die.Warn("unable to accept clients", err)
	}
}
