package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"taskmaster/lib/die"
)

// sendmailTimeout is how long a local sendmail may take.
var sendmailTimeout = 2 * time.Minute

// runSendmail gives the letter to a program with the interface of sendmail(8).
// Its exit code tells what to do (sysexits.h, and qmail's 100 and 111): 0 is
// sent, a fault of the mail or its addresses is failed, all else is tried
// again.
func runSendmail(ctx context.Context, s *settings, l *letter) []verdict {
	ctx, cancel := context.WithTimeout(ctx, sendmailTimeout)
	defer cancel()
	args := append([]string{"-i", "-f", l.From, "--"}, l.To...)
	cmd := exec.CommandContext(ctx, s.Sendmail, args...)
	cmd.Stdin = bytes.NewReader(l.Text)
	said := &firstBytes{most: 500}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if err == nil {
		return all(l.To, sent, "taken by "+s.Sendmail)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || ctx.Err() != nil {
		return all(l.To, deferred, fmt.Sprintf("unable to run %s: %s", s.Sendmail, die.Reason(err)))
	}
	reason := printable(strings.Join(strings.Fields(said.String()), " "))
	reason = with(fmt.Sprintf("%s: %v", s.Sendmail, err), ": ", reason)
	switch exit.ExitCode() {
	case 64, 65, 67, 68, 100: // EX_USAGE, EX_DATAERR, EX_NOUSER, EX_NOHOST
		return all(l.To, failed, reason)
	}
	return all(l.To, deferred, reason)
}

// firstBytes keeps the beginning of what is written to it and drops the rest.
type firstBytes struct {
	bytes.Buffer
	most int
}

// Write keeps what still fits and never fails.
func (f *firstBytes) Write(p []byte) (int, error) {
	f.Buffer.Write(p[:min(len(p), max(0, f.most-f.Len()))])
	return len(p), nil
}
