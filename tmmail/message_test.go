package main

import (
	"bytes"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"taskmaster/lib/event"
	"taskmaster/lib/line"
)

// compose1 makes the mail that a story would bring whose first event
// qualifies, as does fatal.
func compose1(t testing.TB, events ...event.Event) []byte {
	n := &notifier{settings: defaultSettings(), groups: map[string]*group{}, starts: map[string]int{}}
	n.Host, n.State, n.To, n.From, n.Events = "host", "/run/x", []string{"ops@example.org"}, "from@example.org", []string{events[0].Kind, event.Fatal}
	n.hour.most = 20
	now := time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)
	for i := range events {
		n.takeEvent(now, &events[i])
	}
	groups := n.stories()
	if len(groups) == 0 {
		return nil
	}
	l := &letter{ID: "20261122T150000.0", From: n.From, To: n.To, Made: now}
	return message(n.settings, l, n.compose(now, groups))
}

// check parses a message back and demands what every mail must be, whatever
// the event held.
func check(t testing.TB, text []byte) (subject, body string) {
	m, err := mail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	allowed := map[string]bool{"Auto-Submitted": true, "Date": true, "Mime-Version": true, "Message-Id": true, "Subject": true,
		"X-Taskmaster-Host": true, "X-Taskmaster-Program": true, "From": true, "To": true,
		"Content-Transfer-Encoding": true, "Content-Type": true}
	for key, values := range m.Header {
		if !allowed[key] || len(values) != 1 {
			t.Fatalf("header %s: %q\n%s", key, values, text)
		}
	}
	for key, want := range map[string]string{"To": "<ops@example.org>", "From": "<from@example.org>",
		"Auto-Submitted": "auto-generated", "Message-Id": "<20261122T150000.0@host>", "Content-Type": "text/plain; charset=UTF-8"} {
		if got := m.Header.Get(key); got != want {
			t.Fatalf("%s: %q, want %q", key, got, want)
		}
	}
	if _, err := m.Header.Date(); err != nil {
		t.Fatal(err)
	}
	most := 998 // of a header, RFC 5322, 2.1.1
	for _, row := range strings.Split(string(text), "\n") {
		if row == "" {
			most = 76 // of quoted-printable, RFC 2045, 6.7
		}
		if len(row) > most || strings.Trim(row, " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~") != "" {
			t.Fatalf("line of %d bytes: %q", len(row), row)
		}
	}
	subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	body = string(content)
	for _, shown := range []string{subject, strings.ReplaceAll(body, "\n", "")} {
		if !utf8.ValidString(shown) || strings.ContainsFunc(shown, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Fatalf("not printable: %q", shown)
		}
	}
	return subject, body
}

func parse(t testing.TB, text string) event.Event {
	e, err := event.Parse("2026-11-22T15:10:44.002Z " + text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestSubjects(t *testing.T) {
	for text, want := range map[string]string{
		"web:0 exited pid=1 code=1 expected=no":                    "web:0 exited 1 (not started again)",
		"web:0 exited pid=1 signal=SEGV core=yes expected=no":      "web:0 was killed by SIGSEGV (core dumped) (not started again)",
		"web:0 exited pid=1 signal=KILL core=no oom=yes":           "web:0 was killed by SIGKILL (out of memory) (not started again)",
		"web:0 exited pid=1 code=unknown expected=no":              "web:0 exited with an unknown code (not started again)",
		"web:0 exited expected=no reason=cannot%20chdir":           "web:0 ended: cannot chdir (not started again)",
		"web:0 fatal try=4 reason=cannot%20execute%20/x":           "web:0 gave up after 4 tries: cannot execute /x",
		"tmd reloadfail by=HUP reason=t.yaml:3:4:%20unknown%20key": "tmd could not reload its configuration: t.yaml:3:4: unknown key",
		"tmd logfull file=/l policy=block reason=no%20space":       "tmd cannot write the log /l: no space",
		"tmd logfull file=/l policy=block reason=unable%20to%20compress%20a%20file%20of%20/l:%20gzip:%20exit%201": "tmd has trouble with a log: " +
			"unable to compress a file of /l: gzip: exit 1",
		"tmd logfull file=/l policy=drop reason=/l%20was%20removed:%20making%20it%20again": "tmd has trouble with a log: /l was removed: making it again",
		"tmd logfull file=/l policy=drop dropped=12":                                       "tmd dropped 12 lines of the log /l",
		"Grün:0 unhealthy reason=GET%20/:%20503":                                           "Grün:0 is unhealthy: GET /: 503",
		"backup finished rc=0 took=3s":                                                     "backup finished rc=0 took=3s",
		"web:0 fatal reason=" + line.Encode("\x1b[31m\u202ered\xff"):                       `web:0 gave up: \x1b[31m\u202ered\xff`,
	} {
		if got, _ := check(t, compose1(t, parse(t, text))); got != "[host] "+want {
			t.Errorf("%s\n  subject %q\n  want    %q", text, got, "[host] "+want)
		}
	}
	// Some readers show a space for a line end right behind the colon.
	if text := compose1(t, parse(t, "web:0 fatal reason=gr"+strings.Repeat("%C3%BC", 90))); !bytes.Contains(text, []byte("\nSubject: [host]\n =?UTF-8?q?web:0_gave")) {
		t.Errorf("a subject that is encoded:\n%s", text)
	}
	long, _ := check(t, compose1(t, parse(t, "web:0 fatal reason="+strings.Repeat("é", 1000))))
	if utf8.RuneCountInString(long) != mostOfSubject || !strings.HasSuffix(long, "é...") {
		t.Errorf("a long subject: %q", long)
	}
}

// What a tired person would have to look up stands in the mail.
func TestWhatItMeans(t *testing.T) {
	for text, want := range map[string][]string{
		"tmd logfull file=/var/log/a%20b policy=block reason=no%20space": {"next       nothing is lost, but programs that write to it may have to wait", "\n  df -h /var/log\n"},
		"tmd logfull file=/var/l policy=drop reason=no%20space":          {"next       its lines are dropped and counted until"},
		"tmd logfull file=/var/l policy=prune reason=no%20space":         {"next       its oldest files are deleted"},
		"tmd reloadfail reason=t.yaml:1:1:x":                             {"next       nothing changed: all runs on", "\n  tmctl -d /run/x reload -n\n"},
		"web:0 fatal try=4 reason=x":                                     {"restarts   3", "next       taskmaster gave up"},
		"web:0 exited pid=1 code=1 expected=no uptime=1.66 left=0":       {"uptime     1.66 s\n"},
		"web:0 exited pid=1 code=1 expected=no uptime=59.999 left=0":     {"uptime     1 min\n"},
		"web:0 exited pid=1 code=1 expected=no uptime=20 left=0":         {"uptime     20 s\n"},
	} {
		_, body := check(t, compose1(t, parse(t, text)))
		for _, words := range want {
			if !strings.Contains(body, words) {
				t.Errorf("%s: the mail does not say %q:\n%s", text, words, body)
			}
		}
	}
}

func TestBody(t *testing.T) {
	_, body := check(t, compose1(t, parse(t, "web:0 exited pid=4312 code=127 expected=no uptime=4055.877 left=2"),
		parse(t, "web:0 backoff try=2 wait=90")))
	for _, want := range []string{"web:0 exited 127.", "127 is what a shell says when it could not find the command",
		"pid        4312", "uptime     1 h 7 min 36 s", "started    ", "ended      ", "restarts   2",
		"left       2 processes that it left behind were ended", "next       restart 2, next try in 1 min 30 s from ",
		"2 events:", "tmctl -d /run/x status web", "tmctl -d /run/x tail -n 100 web:0 stderr"} {
		if !strings.Contains(body, want) {
			t.Errorf("the mail does not say %q:\n%s", want, body)
		}
	}
}

// Whatever an event holds, it becomes one mail, to whom it should go, with
// no header of its own.
func FuzzMessage(f *testing.F) {
	f.Add("web:0", "fatal", "reason", "no such file")
	f.Add("a\r\nBcc: x@y", "exited", "code", "1\r\n.\r\nMAIL FROM:<a@b>")
	f.Add("=?UTF-8?Q?=0D=0ABcc:_x=40y?=", "reloadfail", "=", "\x1b]0;title\a\u2028\xff\x00")
	f.Add(":", "backoff", "wait", "1e308")
	f.Add("tmd", "exited", "uptime", "-1e300")
	f.Fuzz(func(t *testing.T, name, kind, key, value string) {
		e, err := event.Parse("2026-11-22T15:10:44.002Z " + line.Join(name, kind, key) + "=" + line.Encode(value))
		if err != nil || e.Kind == event.Mail {
			return
		}
		if text := compose1(t, e, event.New(e.Time, name, event.Fatal, "reason", value)); text != nil {
			check(t, text)
		}
	})
}

func FuzzLetter(f *testing.F) {
	good := &letter{ID: "1", From: "a@b", To: []string{"c@d", "e@f"}, Made: time.Unix(0, 0), Subject: "x\ny", Tells: []string{"2"}, Text: []byte("t\n")}
	f.Add(good.file())
	f.Add([]byte("id %\n\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		l, err := parseLetter(content)
		if err != nil {
			return
		}
		again, err := parseLetter(l.file())
		if err != nil || again.ID != l.ID || strings.Join(again.To, " ") != strings.Join(l.To, " ") || !bytes.Equal(again.Text, l.Text) {
			t.Fatalf("%v: %+v became %+v", err, l, again)
		}
		for _, address := range append(l.To, l.From) {
			if strings.ContainsAny(address, " \r\n<>") {
				t.Fatalf("address %q", address)
			}
		}
	})
}
