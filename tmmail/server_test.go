package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"taskmaster/lib/die"
)

// TestMain silences the warnings that the tests provoke.
func TestMain(m *testing.M) {
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil && !slices.Contains(os.Args, "-test.v=true") {
		die.Stderr = int(null.Fd())
	}
	os.Exit(m.Run())
}

// A mailServer is a small SMTP server that does what a test tells it to: for
// each command, "greeting" and "." included, answer may return a reply, hang
// or drop; "" is what a good server says.
type mailServer struct {
	address string
	answer  func(command string) string
	offers  string // further lines of the EHLO answer

	mu    sync.Mutex
	heard []string
	last  string // the last reply
	mails []string
}

const (
	hang = "hang" // say nothing more
	drop = "drop" // close the connection
)

func newMailServer(t *testing.T, answer func(command string) string) *mailServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{address: listener.Addr().String(), answer: answer}
	var open sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { conn.Close() })
			open.Go(func() { s.serve(ctx, conn) })
		}
	})
	t.Cleanup(func() { cancel(); listener.Close(); open.Wait() })
	return s
}

func (s *mailServer) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	if !s.reply(ctx, conn, "greeting", "220 test") {
		return
	}
	for {
		command, err := in.ReadString('\n')
		if err != nil {
			return
		}
		command = strings.TrimSpace(command)
		good := "250 OK"
		switch verb, _, _ := strings.Cut(command, " "); verb {
		case "EHLO":
			good = "250-test" + s.offers + "\r\n250 8BITMIME"
		case "DATA":
			if !s.reply(ctx, conn, command, "354 go on") {
				return
			}
			if s.last != "354 go on" {
				continue
			}
			var text strings.Builder
			for line := ""; line != ".\r\n"; {
				text.WriteString(line)
				if line, err = in.ReadString('\n'); err != nil {
					return
				}
			}
			if !s.reply(ctx, conn, ".", "250 taken") {
				return
			}
			s.mu.Lock()
			if s.last == "250 taken" {
				s.mails = append(s.mails, text.String())
			}
			s.mu.Unlock()
			continue
		case "QUIT":
			good = "221 bye"
		}
		if !s.reply(ctx, conn, command, good) {
			return
		}
	}
}

func (s *mailServer) reply(ctx context.Context, conn net.Conn, command, good string) bool {
	s.mu.Lock()
	s.heard = append(s.heard, command)
	text := good
	if s.answer != nil {
		if other := s.answer(command); other != "" {
			text = other
		}
	}
	s.last = text
	s.mu.Unlock()
	switch text {
	case hang:
		<-ctx.Done()
		return false
	case drop:
		return false
	}
	_, err := fmt.Fprintf(conn, "%s\r\n", text)
	return err == nil
}

func (s *mailServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mails)
}

// try delivers a letter to the server once.
func (s *mailServer) try(to ...string) delivery {
	l := &letter{ID: "id", From: "from@example.org", To: to, Made: time.Now(), Text: []byte("Subject: test\n\n.body\n")}
	set := &settings{Server: s.address, TLS: clearText, Host: "host"}
	return deliver(context.Background(), set, l, func(string) {})
}

func results(d delivery) string {
	var all []string
	for _, v := range d.verdicts {
		all = append(all, v.to+" "+v.result)
	}
	return strings.Join(all, ", ")
}
