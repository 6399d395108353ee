package main

import (
	"context"
	"strings"

	"taskmaster/lib/config"
	"taskmaster/lib/die"
	"taskmaster/lib/line"
	"taskmaster/lib/proto"
)

// A mailer is the tmmail, when the configuration has a mail: map.
type mailer struct{ eventReader }

func newMailer(c *companion) *mailer { return &mailer{eventReader{companion: c, what: "mail"}} }

func (d *daemon) startMail(conf *config.Mail) {
	fifo := string(d.dir) + "/mail"
	if conf == nil && d.mail == nil {
		if c := d.inheritCompanion(fifo, 0o600); c != nil {
			d.mail = newMailer(c)
		}
	}
	switch {
	case conf == nil && d.mail == nil:
	case conf == nil:
		d.mail.finish(func() { d.mail = nil })
	case d.mail == nil:
		d.mail = newMailer(d.newCompanion(fifo, 0o600, d.mailArgs(conf)))
	default:
		d.mail.stopped = nil // wanted again before it had gone
		d.mail.change(d.mailArgs(conf))
	}
}

// mailArgs is the command line of tmmail for a mail map; the password stays
// in its file.
func (d *daemon) mailArgs(m *config.Mail) []string {
	argv := []string{"tmmail", "-d", string(d.dir), "-g", m.GroupWait.String(), "-i", m.GroupInterval.String(),
		"-m", itoa(m.MaxPerHour)}
	for _, to := range m.To {
		argv = append(argv, "-t", to)
	}
	for _, kind := range m.Events {
		argv = append(argv, "-e", kind)
	}
	for _, pair := range [][2]string{{"-f", m.From}, {"-s", m.Server}, {"-tls", m.TLS}, {"-u", m.User},
		{"-p", m.PasswordFile}, {"-S", m.Spool}} {
		if pair[1] != "" {
			argv = append(argv, pair[0], pair[1])
		}
	}
	return argv
}

// write hands tmmail an event. One that its FIFO has no room for is missing from
// the mail, and in the event log all the same.
func (m *mailer) write(text []byte) {
	if m == nil || m.fd < 0 {
		return
	}
	if n := m.hand(text); n > 0 {
		die.Warn("mail lost "+count(n, "event"), nil)
		m.d.log.write(lostEvents(n, m.what))
	}
}

// doMail sends one test mail by a tmmail of its own and tells how it went.
func doMail(d *daemon, r *proto.Request) {
	if len(r.Args) != 1 || r.Args[0] != "test" {
		r.Err(proto.Bad, "mail: the only use is `mail test`")
		return
	}
	var argv []string
	d.ask(func() {
		if m := d.file.Settings.Mail; m != nil {
			argv = append(d.mailArgs(m), "-test")
		}
	})
	if argv == nil {
		r.Err(proto.State, "the configuration has no mail: map")
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-r.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	out, err := d.runOwn(ctx, argv)
	for _, text := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		r.Answer(line.Encode(text))
	}
	if err != nil {
		r.Err(proto.State, "the test mail was not sent")
		return
	}
	r.OK("")
}
