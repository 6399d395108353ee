package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"taskmaster/lib/die"

	"golang.org/x/sys/unix"
)

// A compressor runs the command of -z on finished files, one at a time and
// beside the log: standard input is FILE.N, standard output becomes FILE.N.gz.
// A file whose command fails stays as it is.
type compressor struct {
	files   backups
	command string // for /bin/sh -c; "" does nothing
	mail    *mailbox
	running *job
	broken  bool // the last one failed, which has been said
}

// A job is one command at work. While it runs the file may get another
// number, so it is known by its inode.
type job struct {
	pid    int
	input  *os.File
	output *os.File
	lost   error // why the output may not have come to the disk; set before jobEnded is raised
}

// partial is where the command's output grows. It is removed before each
// start, so that a command that outlived a killed tmlog writes into nothing.
func (c *compressor) partial() string {
	dir, base := filepath.Split(c.files.path)
	return dir + "." + base + compressedSuffix
}

// discard removes what a command wrote, also one of a tmlog before this.
func (c *compressor) discard() { os.Remove(c.partial()) }

// next starts the command on the newest file that needs it, unless one runs.
func (c *compressor) next() error {
	if c.command == "" || c.running != nil {
		return nil
	}
	all, err := c.files.list()
	if err != nil {
		return nil // the directory is gone; there is nothing to compress
	}
	for _, file := range all {
		if !file.compressed {
			if err := c.start(file); err != nil {
				return c.failed(err)
			}
			return nil // how it went is known when it ends
		}
	}
	return nil
}

func (c *compressor) start(file backup) (err error) {
	j := &job{}
	defer func() {
		if err != nil {
			j.close()
			err = errors.New("unable to compress " + file.path + ": " + die.Reason(err))
		}
	}()
	if j.input, err = os.OpenFile(file.path, os.O_RDONLY|unix.O_NOFOLLOW, 0); err != nil {
		return err
	}
	info, err := j.input.Stat()
	if err != nil {
		return err
	}
	c.discard()
	j.output, err = os.OpenFile(c.partial(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := j.output.Chmod(info.Mode().Perm()); err != nil {
		return err
	}
	j.pid, err = syscall.ForkExec("/bin/sh", []string{"sh", "-c", c.command}, &syscall.ProcAttr{
		Env:   commandEnv(),
		Files: []uintptr{j.input.Fd(), j.output.Fd(), uintptr(die.Stderr)},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return err
	}
	c.running = j
	go c.await(j)
	return nil
}

// await raises jobEnded when the command is done. It leaves the process
// unreaped, so that its pid stays its own until the main loop has seen it.
func (c *compressor) await(j *job) {
	defer die.OnPanic()
	for unix.Waitid(unix.P_PID, j.pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	j.lost = j.output.Sync()
	c.mail.raise(jobEnded)
}

// finish puts the result of the command that ended in the place of its file.
func (c *compressor) finish() error {
	j := c.running
	c.running = nil
	defer j.close()
	var status syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(j.pid, &status, 0, nil); err != syscall.EINTR {
			break
		}
	}
	err := c.verdict(j, status)
	if err == nil {
		err = c.replace(j)
	}
	if err != nil {
		c.discard()
		err = errors.New("unable to compress a file of " + c.files.path + ", kept as it is: " + die.Reason(err))
	}
	return c.failed(err)
}

// failed returns err if it is the first after a success.
func (c *compressor) failed(err error) error {
	said := c.broken
	c.broken = err != nil
	if said {
		return nil
	}
	return err
}

// verdict judges a command by its exit, and by its output: that must be on the
// disk, since the file goes, and something must have become of a file that is
// not empty.
func (c *compressor) verdict(j *job, status syscall.WaitStatus) error {
	if status.Signaled() {
		return errors.New(c.command + ": killed by signal " + strconv.Itoa(int(status.Signal())))
	}
	if status.ExitStatus() != 0 {
		return errors.New(c.command + ": exit " + strconv.Itoa(status.ExitStatus()))
	}
	if j.lost != nil {
		return j.lost
	}
	in, err := j.input.Stat()
	if err != nil {
		return err
	}
	out, err := j.output.Stat()
	if err != nil {
		return err
	}
	if in.Size() > 0 && out.Size() == 0 {
		return errors.New(c.command + ": wrote nothing")
	}
	return nil
}

// replace finds the file by its inode. A file that is gone by now, too old or
// deleted to make room, needs no result.
func (c *compressor) replace(j *job) error {
	in, err := j.input.Stat()
	if err != nil {
		return err
	}
	all, err := c.files.list()
	if err != nil {
		return err
	}
	for _, file := range all {
		now, err := os.Lstat(file.path)
		if err != nil || file.compressed || !os.SameFile(in, now) {
			continue
		}
		crashPoint("compressed")
		if err := os.Rename(c.partial(), c.files.name(file.number, true)); err != nil {
			return err
		}
		crashPoint("renamed")
		return os.Remove(file.path)
	}
	c.discard()
	return nil
}

// stop ends a command that still runs; its file stays as it is, for the next
// tmlog to compress.
func (c *compressor) stop() {
	if c.running == nil {
		return
	}
	unix.Kill(-c.running.pid, unix.SIGKILL)
	c.discard()
}

func (j *job) close() {
	if j.input != nil {
		j.input.Close()
	}
	if j.output != nil {
		j.output.Close()
	}
}

// commandEnv is the environment without what was meant for tmlog alone.
func commandEnv() []string {
	var env []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if name != "GOMAXPROCS" && name != "GOGC" && name != eventsVariable {
			env = append(env, pair)
		}
	}
	return env
}
