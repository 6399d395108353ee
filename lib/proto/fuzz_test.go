package proto

import (
	"strings"
	"testing"

	"taskmaster/lib/line"
)

// FuzzRequest holds that what is taken as a request can be written again, and
// that nothing else than `bad` comes of the rest.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		"status", "tail -n 5 web:0 stderr", "wait -t 5 web running", "start  all",
		"", " ", "status %", "status %0a%00", "POST / HTTP/1.1", "end", "log\x00", "start \xff", "status a=b%3D",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRequest(text)
		if err != nil {
			if err.Word != Bad || strings.ContainsAny(err.Text, "\n\r\x00\x1b") {
				t.Fatalf("error %q %q", err.Word, err.Text)
			}
			return
		}
		if r.Line != text {
			t.Fatalf("line %q of %q", r.Line, text)
		}
		again, err := ParseRequest(strings.TrimRight(r.Verb+" "+line.Join(r.Args...), " "))
		if err != nil || again.Verb != r.Verb {
			t.Fatalf("written again: %+v, %v", again, err)
		}
		ParseOptions("fn:t:", r.Args)
	})
}

// FuzzReply holds that the client never panics, whatever a server sends.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{
		"+OK", "+OK 1", "-ERR noprog web:9: no such instance", "-ERR", "-ERR ", "=", "=a b", "*", "+OKAY",
		"?taskmaster 1 00112233445566778899aabbccddeeff", "+OK taskmaster 1", "", "\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		reply, err := ParseReply(text)
		if err == nil {
			switch reply.Kind {
			case KindDone, KindAnswer, KindEvent:
			case KindFailed:
				if reply.Word == "" {
					t.Fatalf("%q: -ERR without a word", text)
				}
			default:
				t.Fatalf("%q: kind %q", text, reply.Kind)
			}
		}
		if nonce, ok := parseChallenge(text); ok && len(nonce) != nonceLen {
			t.Fatalf("%q: nonce %q", text, nonce)
		}
	})
}

// FuzzAuth holds the exact grammar of the first line of a client.
func FuzzAuth(f *testing.F) {
	f.Add("auth " + strings.Repeat("0", nonceLen) + " " + strings.Repeat("f", macLen))
	f.Add("auth  ")
	f.Add("GET / HTTP/1.1")
	f.Fuzz(func(t *testing.T, text string) {
		cnonce, mac, ok := parseAuth(text)
		if ok && "auth "+cnonce+" "+mac != text {
			t.Fatalf("%q taken apart as %q, %q", text, cnonce, mac)
		}
	})
}

// FuzzClean holds that no text can begin a line or drive a terminal.
func FuzzClean(f *testing.F) {
	f.Add("web:9: no such instance")
	f.Add("two\nlines \x1b[31m %")
	f.Fuzz(func(t *testing.T, text string) {
		out := clean(text)
		if strings.IndexFunc(out, control) >= 0 || len(out) >= MaxReply {
			t.Fatalf("%.40q became %.40q, %d bytes", text, out, len(out))
		}
	})
}

func TestCleanIsBounded(t *testing.T) {
	t.Parallel()
	for length := MaxReply/3 - 6; length < MaxReply/3+2; length++ { // from whole to cut
		out := clean(strings.Repeat("\n", length))
		if len(out) >= MaxReply || len(out)%3 != 0 {
			t.Fatalf("%d newlines became %d bytes", length, len(out))
		}
	}
}
