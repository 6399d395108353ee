package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"gopkg.in/yaml.v3"

	"taskmaster/lib/die"
	"taskmaster/lib/expand"
)

// settings is what tmctl needs of a configuration file: the keys that say
// where a daemon is found, and what it asks for. All else in it is tmd's to
// understand.
type settings struct {
	State  string
	Secret string
	Auth   string
}

// maxConfig is the size that tmd takes at most (taskmaster.yaml(5)).
const maxConfig = 1 << 20

// defaultConfigs are tried in this order without -c.
var defaultConfigs = []string{"taskmaster.yaml", "/etc/taskmaster.yaml"}

// read reads the configuration file once. Without -c it is no error that
// there is none.
func (l *location) read() (*settings, error) {
	if l.settings != nil {
		return l.settings, nil
	}
	found, err := l.open()
	if err != nil {
		return nil, err
	}
	l.settings = &settings{}
	if found == nil {
		return l.settings, nil
	}
	defer found.Close()
	parsed, err := parseSettings(found)
	if err != nil {
		return nil, failed(die.Usage, "unable to read %s: %s", found.Name(), err)
	}
	l.settings = parsed
	return parsed, nil
}

// open opens the file that -c names, else the first default that exists, else
// returns nil.
func (l *location) open() (*os.File, error) {
	if l.config != "" {
		file, err := os.Open(l.config)
		if err != nil {
			return nil, failed(die.Usage, "unable to read %s: %s", l.config, die.Reason(err))
		}
		return file, nil
	}
	for _, name := range defaultConfigs {
		// Without waiting for a FIFO that somebody put into this directory.
		file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = trusted(file)
		}
		if err != nil {
			return nil, failed(die.Usage, "unable to read %s: %s", name, die.Reason(err))
		}
		return file, nil
	}
	return nil, nil
}

// trusted refuses a file found by default that someone else could have put
// there, as tmd does: it would send us to a daemon of theirs.
func trusted(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("found by default, but it is no regular file")
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 && int(owner) != os.Geteuid() {
		return fmt.Errorf("found by default, but it belongs to user %d; name it with -c", owner)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return errors.New("found by default, but others may write to it; name it with -c")
	}
	return nil
}

func parseSettings(file *os.File) (*settings, error) {
	text, err := io.ReadAll(io.LimitReader(file, maxConfig+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxConfig {
		return nil, errors.New("larger than 1 MiB")
	}
	var content struct {
		Taskmaster settings
	}
	if err := yaml.Unmarshal(text, &content); err != nil {
		return nil, err
	}
	s := &settings{Auth: content.Taskmaster.Auth}
	if s.State, err = expand.Setting(content.Taskmaster.State, file.Name()); err != nil {
		return nil, err
	}
	s.Secret, err = expand.Setting(content.Taskmaster.Secret, file.Name())
	return s, err
}
