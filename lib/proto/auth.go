package proto

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

const (
	nonceLen  = 32 // hex digits
	macLen    = 64
	secretLen = 64
)

// The first line of a client when the server asks for no proof.
const hello = "hello " + Version

// NewSecret returns 32 random bytes as 64 lower-case hex digits: what a
// secret file holds, a newline after it.
func NewSecret() string { return randomHex(secretLen / 2) }

func newNonce() string { return randomHex(nonceLen / 2) }

func randomHex(bytes int) string {
	raw := make([]byte, bytes)
	rand.Read(raw) // never fails (crypto/rand)
	return hex.EncodeToString(raw)
}

// ReadSecret reads a secret file. It must be a regular file that belongs to
// the caller or root and that no other may read or write (0600), and hold 64
// lower-case hex digits and a newline. No error holds any of its content.
func ReadSecret(path string) (string, error) {
	// O_NONBLOCK, since a FIFO of that name would hold up the caller.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if err := private(info); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	text, err := io.ReadAll(io.LimitReader(file, secretLen+2))
	if err != nil {
		return "", err
	}
	secret, ok := strings.CutSuffix(string(text), "\n")
	if !ok || !isHex(secret, secretLen) {
		return "", fmt.Errorf("%s: not a secret file: it must hold 64 lower-case hex digits and a newline", path)
	}
	return secret, nil
}

func private(info os.FileInfo) error {
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 && int(owner) != os.Geteuid() {
		return fmt.Errorf("belongs to user %d, not to the caller or root", owner)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("open to others (mode %04o), it must be 0600", mode)
	}
	return nil
}

// proof is hex(HMAC-SHA256(secret, "ROLE NONCE CNONCE")), keyed with the 64
// characters of the secret file.
func proof(secret, role, nonce, cnonce string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	io.WriteString(mac, role+" "+nonce+" "+cnonce)
	return hex.EncodeToString(mac.Sum(nil))
}

// proves says, in constant time, whether mac is a client's proof that it
// knows the secret. No proof is good without a secret.
func proves(secret, nonce, cnonce, mac string) bool {
	want := proof(secret, "client", nonce, cnonce)
	return hmac.Equal([]byte(want), []byte(mac)) && secret != ""
}

// parseAuth takes apart `auth CNONCE MAC`, single spaces, nothing else.
func parseAuth(text string) (cnonce, mac string, ok bool) {
	text, ok = strings.CutPrefix(text, "auth ")
	if !ok || len(text) != nonceLen+1+macLen || text[nonceLen] != ' ' {
		return "", "", false
	}
	cnonce, mac = text[:nonceLen], text[nonceLen+1:]
	return cnonce, mac, isHex(cnonce, nonceLen) && isHex(mac, macLen)
}

// parseChallenge takes apart `?taskmaster 1 NONCE`.
func parseChallenge(text string) (nonce string, ok bool) {
	nonce, ok = strings.CutPrefix(text, "?taskmaster "+Version+" ")
	return nonce, ok && isHex(nonce, nonceLen)
}

func isHex(text string, length int) bool {
	if len(text) != length {
		return false
	}
	for i := 0; i < len(text); i++ {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
