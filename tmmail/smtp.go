package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"slices"
	"strings"

	"taskmaster/lib/die"

	"github.com/wneessen/go-mail/smtp"
)

// A dialogue is one session with the server (RFC 5321). It uses go-mail's
// smtp.Client step by step, not its Client.Send, which lets one refused
// recipient lose the mail for all and leaves connections open on errors.
type dialogue struct {
	*settings
	host   string
	conn   *timedConn
	client *smtp.Client
	tell   func(string) // hears of each step in words; for -test
}

// A stepError says at which step of the dialogue something went wrong.
type stepError struct {
	step string
	err  error
}

// Error returns "STEP: WORDS", the server's or ours.
func (e *stepError) Error() string {
	var answer *textproto.Error
	var network *net.OpError
	words := e.err.Error()
	switch {
	case errors.As(e.err, &answer):
		words = fmt.Sprintf("%d %s", answer.Code, answer.Msg)
	case errors.Is(e.err, os.ErrDeadlineExceeded):
		words = "no answer in time"
	case errors.As(e.err, &network):
		words = die.Reason(network.Err)
	}
	return clip(e.step+": "+printable(strings.Join(strings.Fields(words), " ")), 600)
}

// Unwrap returns what went wrong.
func (e *stepError) Unwrap() error { return e.err }

// at makes an error of a step; nil stays nil.
func at(step string, err error) error {
	if err == nil {
		return nil
	}
	return &stepError{step, err}
}

// silent reports whether the server did not answer in time.
func silent(err error) bool {
	var network net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// speakSMTP delivers a letter. What goes wrong before MAIL says nothing about
// the letter, so it is tried again whatever the code: a wrong password or a
// missing STARTTLS must not throw mail away.
func speakSMTP(ctx context.Context, s *settings, l *letter, tell func(string)) delivery {
	d := &dialogue{settings: s, tell: tell}
	d.host, _, _ = net.SplitHostPort(s.Server)
	err := d.open(ctx)
	if d.conn != nil {
		defer d.conn.Close()
	}
	if err != nil {
		return delivery{l, all(l.To, deferred, err.Error()), silent(err), hopeless(err)}
	}
	verdicts, err := d.transfer(l)
	d.conn.step = min(stepTimeout, quitTimeout)
	d.client.Quit() // whatever it answers, the mail is where it is
	return delivery{letter: l, verdicts: verdicts, silent: silent(err)}
}

// hopeless reports whether only a person can mend what went wrong before
// MAIL: what the server refused for good, or we for want of safety.
func hopeless(err error) bool {
	var certificate *tls.CertificateVerificationError
	return errors.Is(err, errNoStartTLS) || errors.Is(err, errNoMechanism) || errors.As(err, &certificate) ||
		judge(err) == failed
}

// open connects, greets, and sees to TLS and to authentication.
func (d *dialogue) open(ctx context.Context) (err error) {
	d.conn, err = dial(ctx, d.Server)
	if err != nil {
		return at("connecting to "+d.Server, err)
	}
	context.AfterFunc(ctx, func() { d.conn.Conn.Close() })
	d.tell("connected to " + d.conn.RemoteAddr().String())
	var conn net.Conn = d.conn
	if d.TLS == implicitTLS {
		secure := tls.Client(conn, d.tlsConfig())
		if err := secure.HandshakeContext(ctx); err != nil {
			return at("TLS", err)
		}
		conn = secure
	}
	if d.client, err = smtp.NewClient(conn, d.host); err != nil {
		return at("greeting", err)
	}
	d.client.SkipSMTPUTF8(true) // our addresses are ASCII
	if err := d.client.Hello(domain(d.Host)); err != nil {
		return at("EHLO", err)
	}
	if err := d.startTLS(); err != nil {
		return err
	}
	return d.authenticate()
}

// tlsConfig verifies the server's certificate against the system's roots, or
// those that SSL_CERT_FILE names.
func (d *dialogue) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: d.host, MinVersion: tls.VersionTLS12}
}

var errNoStartTLS = errors.New("the server does not offer STARTTLS, without which nothing is sent to it")

// startTLS begins TLS when it is demanded, and never goes on without.
func (d *dialogue) startTLS() error {
	if d.TLS == startTLS {
		if offered, _ := d.client.Extension("STARTTLS"); !offered {
			return at("EHLO", errNoStartTLS)
		}
		if err := d.client.StartTLS(d.tlsConfig()); err != nil {
			return at("STARTTLS", err)
		}
	}
	if state, ok := d.client.TLSConnectionState(); ok {
		d.tell(fmt.Sprintf("%s, certificate of %s verified", tls.VersionName(state.Version), d.host))
	} else {
		d.tell("no TLS, by configuration")
	}
	return nil
}

var errNoMechanism = errors.New("the server offers no way to log in that is known and safe here")

// authenticate logs in when a user is configured.
func (d *dialogue) authenticate() error {
	if d.User == "" {
		return nil
	}
	password, err := readPassword(d.PasswordFile)
	if err != nil {
		return at("password_file", err)
	}
	_, offered := d.client.Extension("AUTH")
	name, auth := d.mechanism(strings.Fields(offered), password)
	if auth == nil {
		return at("AUTH", errNoMechanism)
	}
	if err := d.client.Auth(auth); err != nil {
		return at("AUTH "+name, err)
	}
	d.tell("logged in as " + d.User + " by " + name)
	return nil
}

// mechanism chooses how to log in: those first that do not show the password
// to the server, and those that send it as it is over TLS or loopback only.
func (d *dialogue) mechanism(offered []string, password string) (string, smtp.Auth) {
	_, secure := d.client.TLSConnectionState()
	secure = secure || loopback(d.host)
	for _, m := range []struct {
		name   string
		secure bool // may be used without TLS
		auth   smtp.Auth
	}{
		{"SCRAM-SHA-256", true, smtp.ScramSHA256Auth(d.User, password)},
		{"SCRAM-SHA-1", true, smtp.ScramSHA1Auth(d.User, password)},
		{"CRAM-MD5", true, smtp.CRAMMD5Auth(d.User, password)},
		{"PLAIN", false, smtp.PlainAuth("", d.User, password, d.host, secure)},
		{"LOGIN", false, smtp.LoginAuth(d.User, password, d.host, secure)},
	} {
		if slices.Contains(offered, m.name) && (m.secure || secure) {
			return m.name, m.auth
		}
	}
	return "", nil
}

// transfer hands the letter over: MAIL, RCPT for each recipient, DATA. A
// recipient that is refused does not lose the others.
func (d *dialogue) transfer(l *letter) ([]verdict, error) {
	if err := d.client.Mail("<" + l.From + ">"); err != nil {
		return all(l.To, judge(err), at("MAIL FROM "+l.From, err).Error()), err
	}
	var verdicts []verdict
	var accepted []string
	for i, address := range l.To {
		err := d.client.Rcpt("<" + address + ">")
		if err == nil {
			accepted = append(accepted, address)
			d.tell(address + " accepted")
			continue
		}
		verdicts = append(verdicts, verdict{address, judgeRecipient(err), at("RCPT TO "+address, err).Error()})
		if !isAnswer(err) { // the connection is gone, and with it all that was accepted
			lost := slices.Concat(accepted, l.To[i+1:])
			return append(verdicts, all(lost, deferred, at("RCPT TO "+address, err).Error())...), err
		}
	}
	if accepted == nil {
		return verdicts, nil
	}
	answer, err := d.data(l.Text)
	if err != nil {
		return append(verdicts, all(accepted, judge(err), at("DATA", err).Error())...), err
	}
	d.tell("the server took the mail: " + printable(answer))
	return append(verdicts, all(accepted, sent, printable(answer))...), nil
}

// data sends the message and returns the server's last answer.
func (d *dialogue) data(text []byte) (string, error) {
	w, err := d.client.Data()
	if err != nil {
		return "", err
	}
	if _, err := w.Write(text); err != nil {
		return "", err
	}
	// What comes after the dot may take the rest of the session: a server
	// that scans the mail and is cut off here gets it twice (RFC 1047).
	d.conn.step = sessionTimeout
	err = w.Close()
	d.conn.step = stepTimeout
	if closer, ok := w.(*smtp.DataCloser); ok && err == nil {
		return closer.ServerResponse(), nil
	}
	return "", err
}

func isAnswer(err error) bool {
	var answer *textproto.Error
	return errors.As(err, &answer)
}

// judge tells from the error of a step what becomes of the letter: 5yz is for
// good, 4yz and all that is no answer is for later.
func judge(err error) string {
	var answer *textproto.Error
	if errors.As(err, &answer) && answer.Code >= 500 {
		return failed
	}
	return deferred
}

// judgeRecipient is judge for RCPT, where 552 is too many recipients or a full
// mailbox, and RFC 5321, 4.5.3.1.10, has us take it for 452.
func judgeRecipient(err error) string {
	var answer *textproto.Error
	if errors.As(err, &answer) && answer.Code == 552 {
		return deferred
	}
	return judge(err)
}
