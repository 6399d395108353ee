package mail_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"
)

// An exim is a real mail server on loopback ports, with everything it has in
// one directory. It knows the local parts ops, dev and grey; it defers grey
// until the file "known" exists, as a greylisting server does, and refuses
// all others. Who logs in is user u with the password hunter2, over TLS.
type exim struct {
	dir   string
	Plain string // host:port, STARTTLS offered
	TLS   string // host:port, TLS from the first byte
	Cert  string // file with the certificate, which is its own root
}

const eximConfig = `
primary_hostname = mx.test
spool_directory = {{.Dir}}/spool
log_file_path = {{.Dir}}/log/%slog
pid_file_path = {{.Dir}}/exim.pid
exim_user = {{.User}}
local_interfaces = 127.0.0.1
daemon_smtp_ports = {{.Port}} : {{.TLSPort}}
tls_on_connect_ports = {{.TLSPort}}
tls_advertise_hosts = {{.TLSHosts}}
tls_certificate = {{.Dir}}/cert.pem
tls_privatekey = {{.Dir}}/key.pem
domainlist local_domains = example.org
acl_smtp_rcpt = check_rcpt
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 100
keep_environment =
begin acl
check_rcpt:
  deny message = who are you, $sender_address
       senders = refused@example.org
  defer message = greylisted, come back later
        local_parts = grey
        condition = ${if !exists{ {{- .Dir}}/known}}
  require verify = recipient
  accept
begin routers
boxes:
  driver = accept
  domains = +local_domains
  local_parts = ops : dev : grey
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {{.Dir}}/box/$local_part_data
  maildir_format
  create_directory
  envelope_to_add
  user = {{.User}}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{ {eq{$auth2}{u}}{eq{$auth3}{hunter2}} }}
  server_set_id = $auth2
  server_advertise_condition = ${if def:tls_in_cipher}
`

// startExim starts the server and waits until it answers. Without TLS it
// does not offer STARTTLS.
func startExim(t *testing.T, withTLS bool) *exim {
	t.Helper()
	program, err := exec.LookPath("/usr/sbin/exim4")
	if err != nil {
		t.Fatal("no exim4: install the Debian package exim4-daemon-light")
	}
	if os.Geteuid() != 0 {
		t.Fatal("a mail server gives each user its mail: this test must be run by root")
	}
	owner, err := user.Lookup("Debian-exim")
	if err != nil {
		t.Fatal(err)
	}
	e := &exim{dir: t.TempDir()}
	port, tlsPort := freePort(t), freePort(t)
	e.Plain = fmt.Sprintf("localhost:%d", port)
	e.TLS = fmt.Sprintf("localhost:%d", tlsPort)
	e.Cert = filepath.Join(e.dir, "cert.pem")
	makeCertificate(t, e.Cert, filepath.Join(e.dir, "key.pem"))
	for _, sub := range []string{"spool", "log", "box"} {
		must(t, os.Mkdir(filepath.Join(e.dir, sub), 0o755))
	}
	var config bytes.Buffer
	values := map[string]any{"Dir": e.dir, "User": owner.Username, "Port": port, "TLSPort": tlsPort, "TLSHosts": ""}
	if withTLS {
		values["TLSHosts"] = "*"
	}
	must(t, template.Must(template.New("").Parse(eximConfig)).Execute(&config, values))
	file := filepath.Join(e.dir, "exim.conf")
	must(t, os.WriteFile(file, config.Bytes(), 0o644))
	giveAway(t, e.dir, owner)
	e.run(t, program, "-C", file, "-bdf")
	return e
}

func (e *exim) run(t *testing.T, program string, args ...string) {
	cmd := exec.Command(program, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, cmd.Start())
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(e.dir, "log", "mainlog"))
			t.Logf("exim: %s\n%s", said.String(), log)
		}
	})
	until(t, "exim answers", func() bool {
		conn, err := net.Dial("tcp", e.Plain)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

// giveAway makes everything below dir the user's: the server drops root's
// rights before it writes. The configuration stays root's, as it demands.
func giveAway(t *testing.T, dir string, owner *user.User) {
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || filepath.Base(path) == "exim.conf" {
			return err
		}
		return os.Chown(path, uid, gid)
	}))
}

// mails returns the delivered messages of a local part, as they came.
func (e *exim) mails(box string) [][]byte {
	files, _ := filepath.Glob(filepath.Join(e.dir, "box", box, "new", "*"))
	var mails [][]byte
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			mails = append(mails, text)
		}
	}
	return mails
}

// wait waits until a local part has so many mails and returns them.
func (e *exim) wait(t *testing.T, box string, count int) [][]byte {
	t.Helper()
	until(t, fmt.Sprintf("%s has %d mails", box, count), func() bool { return len(e.mails(box)) >= count })
	mails := e.mails(box)
	if len(mails) != count {
		t.Fatalf("%s has %d mails, want %d", box, len(mails), count)
	}
	return mails
}

func makeCertificate(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	must(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
}

// given holds the ports handed out already, by any test.
var given sync.Map

// freePort returns a port that nobody listens on. It is below those that the
// system gives to outgoing connections, of which some are always about.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		port := 20000 + mathrand.IntN(12000)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits for a condition, with a limit that only a hang can reach.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}
