package security_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"taskmaster/lib/event"
	"taskmaster/test/tmtest"
)

// sleeper is a configuration with one program that does nothing.
const sleeper = "programs:\n  web: {cmd: sleep 1000, starttime: 0}\n"

const refusal = "-ERR denied\n"

// Whatever is not the one line of a client is answered by one -ERR denied and
// the end, and nothing of it is obeyed.
func TestOnlyTheGreetingIsHeard(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper)
	h.Start()
	h.Await("RUNNING", "web:0")
	proof := strings.Repeat("0", 64)
	for name, sent := range map[string]string{
		"a wrong proof":         "auth " + clientNonce + " " + proof + "\n",
		"no proof":              "auth " + clientNonce + "\n",
		"an empty proof":        "auth " + clientNonce + " \n",
		"capital digits":        "auth " + strings.ToUpper(clientNonce) + " " + proof + "\n",
		"two spaces":            "auth  " + clientNonce + " " + proof + "\n",
		"a carriage return":     "auth " + clientNonce + " " + proof + "\r\n",
		"a word too many":       "auth " + clientNonce + " " + proof + " x\n",
		"hello of auth none":    "hello 1\n",
		"a request":             "stop all\n",
		"an empty line":         "\n",
		"a GET":                 "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
		"a POST with a request": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nstop all\n",
		"a TLS hello":           "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x5a", 505) + "\n",
		"NUL":                   "\x00\n",
		"NUL behind a proof":    "auth " + clientNonce + " " + proof + "\x00\n",
		"1024 bytes":            strings.Repeat("a", 1024),
		"a megabyte":            strings.Repeat("auth ", 200_000) + "\n",
		"half a line":           "auth " + clientNonce,
	} {
		t.Run(name, func(t *testing.T) {
			w := connect(t, h)
			w.nonce()
			w.send(sent)
			if name == "half a line" {
				w.Conn.(interface{ CloseWrite() error }).CloseWrite()
			}
			if got := w.rest(); got != refusal {
				t.Errorf("answered %q, want %q", got, refusal)
			}
		})
	}
	if now := h.Status("web:0"); now.State != "RUNNING" || now.Restarts != 0 {
		t.Errorf("something was obeyed: %s", now.Line())
	}
	h.AwaitLog(`tmd denied peer=127\.0\.0\.1:\d+ reason=\S+`)
}

// A proof is good for its own connection only, and not as the server's.
func TestReplay(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper)
	h.Start()
	secret := secretOf(t, h.State+"/secret")
	first := connect(t, h)
	nonce := first.nonce()
	line := "auth " + clientNonce + " " + mac(secret, "client", nonce) + "\n"
	first.send(line)
	answer := first.line()
	if answer != "+OK "+mac(secret, "server", nonce) {
		t.Fatalf("not let in: %q", answer)
	}
	again := connect(t, h)
	if other := again.nonce(); other == nonce {
		t.Fatalf("the challenge %s came twice", nonce)
	}
	again.send(line)
	if got := again.rest(); got != refusal {
		t.Errorf("a replayed proof: %q", got)
	}
	reflected := connect(t, h)
	reflected.nonce()
	reflected.send("auth " + clientNonce + " " + strings.TrimPrefix(answer, "+OK ") + "\n")
	if got := reflected.rest(); got != refusal {
		t.Errorf("the server's own proof: %q", got)
	}
}

// A second line that came with the first is not obeyed when the first fails.
func TestNothingIsObeyedBehindAWrongProof(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper)
	h.Start()
	h.Await("RUNNING", "web:0")
	w := connect(t, h)
	w.nonce()
	w.send("auth " + clientNonce + " " + strings.Repeat("0", 64) + "\nstop all\nshutdown\n")
	if got := w.rest(); got != refusal {
		t.Errorf("answered %q", got)
	}
	if got := let(t, h).last("pid"); !strings.HasPrefix(got, "+OK") {
		t.Errorf("tmd answers %q", got)
	}
	if now := h.Status("web:0"); now.State != "RUNNING" {
		t.Errorf("it was obeyed: %s", now.Line())
	}
}

// The time to authenticate counts from connecting: neither silence nor a byte
// now and then prolongs it.
func TestSlowloris(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper)
	h.Start()
	for name, byteEach := range map[string]time.Duration{"silent": time.Hour, "slow": 50 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := connect(t, h)
			w.nonce()
			drip := time.NewTicker(byteEach)
			defer drip.Stop()
			ended := make(chan string)
			go func() { ended <- w.rest() }()
			for {
				select {
				case <-drip.C:
					w.send("a") // 1024 of them would take 51 s
				case got := <-ended:
					if got != refusal {
						t.Errorf("answered %q", got)
					}
					return
				}
			}
		})
	}
}

// One address is told of at most once a second, however often it tries; the
// addresses of this host count as one.
func TestDeniedIsBounded(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper)
	h.Start()
	for range 300 {
		w := connect(t, h)
		w.send("GET / HTTP/1.1\n")
		if got := w.rest(); !strings.HasSuffix(got, refusal) {
			t.Fatalf("answered %q", got)
		}
	}
	h.OK("pid")
	h.AwaitLog("tmd denied")
	var last time.Time
	for _, text := range strings.Split(strings.TrimSpace(h.Log()), "\n") {
		e, err := event.Parse(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if e.Kind != event.Denied {
			continue
		}
		if since := e.Time.Sub(last); since < 990*time.Millisecond {
			t.Errorf("told again after %v: %s", since, text)
		}
		last = e.Time
		if strings.Contains(text, "GET") || strings.Contains(text, "HTTP") {
			t.Errorf("the words of a stranger are in the log: %s", text)
		}
	}
}

// What a client that is in sends wrong costs it the request, or when the
// stream cannot be trusted any more the connection, and nobody else anything.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper)
	h.Start()
	h.Await("RUNNING", "web:0")
	w := let(t, h)
	for _, request := range []string{
		"", " ", "nonsense", "status %", "status %zz", "status web\x00", "status \x1b[31m", "status é",
		"start", "signal", "signal NOPE web", "tail", "tail -n x web:0", "wait web nowhere", "start -t x web",
		"start -t", "stop -z all", "show", "mail", "mail tests", "log x", "reload -x", "end x", "auth a b", "hello 1",
		"status [", "status " + strings.Repeat("all ", 33), "tail -n 99999999999999999999 web:0", "wait -t 1e999 web running",
		"stop ../../etc", "show web:-1", "show web:0:0", "upgrade now", "rekey web", "version 1", "pid web web", "watch fatel", "watch -x", "pid %2e%2e%2f", "start -n", "signal 0", "signal -1 web", "usage web:99999999999",
	} {
		got := w.last(request)
		if !regexp.MustCompile(`^-ERR (bad|noprog|state) ?`).MatchString(got) {
			t.Errorf("%.60q: %.200q", request, got)
		}
		if strings.ContainsAny(got, "\x00\x1b\r") {
			t.Errorf("%.60q: raw control characters in %q", request, got)
		}
	}
	for request, want := range map[string]string{
		"status " + strings.Repeat("web ", 16000):        "+OK 1",
		"status *[" + strings.Repeat("x", 60000) + "]":   "-ERR noprog more than 256 bytes of patterns in one request",
		"status " + strings.Repeat("w* ", 33):            "-ERR noprog more than 32 patterns in one request",
		"status " + strings.Repeat("[a-z]*x ", 32) + "*": "-ERR noprog more than 32 patterns in one request",
	} {
		if got := w.last(request); got != want {
			t.Errorf("%.60q: %.200q, want %q", request, got, want)
		}
	}
	w.send("status " + strings.Repeat("a ", 32768) + "\n")
	if got := w.rest(); !strings.HasPrefix(got, "-ERR bad") || strings.Count(got, "\n") != 1 {
		t.Errorf("a line of 65543 bytes: %.200q", got)
	}
	if now := h.Status("web:0"); now.State != "RUNNING" || now.Restarts != 0 {
		t.Errorf("something was obeyed: %s", now.Line())
	}
}

// With auth: none a page in a browser could POST to the port; its first line
// closes the connection.
func TestAuthNoneIsNotForBrowsers(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper+"taskmaster: {listen: '127.0.0.1:0', auth: none}\n")
	d := h.Start()
	h.Await("RUNNING", "web:0")
	for _, sent := range []string{"POST / HTTP/1.1\r\n\r\nstop all\n", "stop all\n", "hello 1\nGARBAGE\nstop all\n", "hello 1\n\nstop all\n"} {
		w := connect(t, h)
		if greeting := w.line(); greeting != "+OK taskmaster 1" {
			t.Fatalf("greeted with %q", greeting)
		}
		w.send(sent)
		if got := w.rest(); !strings.Contains(got, "-ERR ") || strings.Count(got, "+OK") > 1 {
			t.Errorf("%q: %q", sent, got)
		}
	}
	if now := h.Status("web:0"); now.State != "RUNNING" {
		t.Errorf("a browser was obeyed: %s", now.Line())
	}
	if !strings.Contains(d.Stderr(), "auth is none") {
		t.Errorf("not warned: %q", d.Stderr())
	}
}

// An address that others can reach needs a secret.
func TestOutsideNeedsASecret(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"0.0.0.0:0", "[::]:0", "192.0.2.1:4242", "example.org:4242"} {
		h := tmtest.NewHost(t, sleeper+"taskmaster: {listen: '"+listen+"', auth: none}\n")
		r := h.Run("tmd", "-t", "-c", h.Config)
		if r.Code != 100 || !strings.Contains(r.Stderr, ": auth: ") {
			t.Errorf("%s: exit %d, %q", listen, r.Code, r.Stderr)
		}
	}
}

// 0.0.0.0 is every address of IPv4, and none of IPv6.
func TestListensWhereItIsTold(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper+"taskmaster: {listen: '0.0.0.0:0'}\n")
	h.Start()
	if address := h.Read("state/address"); !strings.HasPrefix(address, "0.0.0.0:") {
		t.Errorf("listens on %s", address)
	}
	h.OK("version")
}

// Somebody else's server at the port is told from tmd: it cannot prove that
// it knows the secret, and cannot make tmctl do without.
func TestImpostor(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper)
	h.Start()
	secret := h.State + "/secret"
	for name, says := range map[string][]string{
		"wrong proof":      {"?taskmaster 1 " + clientNonce, "+OK " + strings.Repeat("0", 64), "+OK 0"},
		"reflected proof":  {"?taskmaster 1 " + clientNonce, "", "+OK 0"},
		"no proof":         {"?taskmaster 1 " + clientNonce, "+OK", "+OK 0"},
		"auth none":        {"+OK taskmaster 1", "+OK", "+OK 0"},
		"a short nonce":    {"?taskmaster 1 0", "+OK", "+OK 0"},
		"another protocol": {"220 mail.example.org ESMTP", "250 ok"},
	} {
		t.Run(name, func(t *testing.T) {
			address := impostor(t, says)
			r := h.Run("tmctl", "-s", address, "-k", secret, "status")
			if r.Code != 102 {
				t.Errorf("exit %d, want 102: %q %q", r.Code, r.Stdout, r.Stderr)
			}
		})
	}
}
