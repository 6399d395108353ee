package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// output is standard output. What cannot be written ends the requests that
// stream: there is nobody to read any more.
type output struct {
	file   *os.File
	buffer *bufio.Writer
	open   context.Context // done when the reader is gone or writing failed
	fail   context.CancelCauseFunc
	watch  sync.Once
}

func newOutput(file *os.File) *output {
	o := &output{file: file, buffer: bufio.NewWriter(file)}
	o.open, o.fail = context.WithCancelCause(context.Background())
	return o
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.buffer.Write(p)
	if err != nil {
		o.fail(err)
	}
	return n, err
}

// flush writes out what is held.
func (o *output) flush() {
	if err := o.buffer.Flush(); err != nil {
		o.fail(err)
	}
}

// broken says whether nothing can be written any more.
func (o *output) broken() bool { return o.open.Err() != nil }

// close writes out what is held and returns why something could not be
// written. That the reader left, as head(1) does, is no error.
func (o *output) close() error {
	o.flush()
	if !o.broken() {
		return nil
	}
	if err := context.Cause(o.open); !errors.Is(err, syscall.EPIPE) {
		return err
	}
	return nil
}

// watchReader notices from now on when the reader of a pipe goes, also while
// there is nothing to write: `tmctl tail -f web:0 | head -1` must not wait
// for a second line.
func (o *output) watchReader() {
	o.watch.Do(func() {
		go func() {
			// With no events asked for, poll(2) returns for an error or the
			// end only. It is never called off: tmctl ends first.
			poll := []unix.PollFd{{Fd: int32(o.file.Fd())}}
			for {
				n, err := unix.Poll(poll, -1)
				if n > 0 {
					o.fail(syscall.EPIPE)
				}
				if err != unix.EINTR {
					return
				}
			}
		}()
	})
}
