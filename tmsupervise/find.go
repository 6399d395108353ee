package main

import (
	"bytes"
	"os"
	"strings"
	"syscall"

	"taskmaster/lib/die"
	"taskmaster/lib/procfs"
	"taskmaster/lib/spec"

	"golang.org/x/sys/unix"
)

// find returns the path to execute: the first word of cmd, searched in the
// program's PATH (else the helper's, which is tmd's) when it has no slash.
func find(s *spec.Spec) (string, *ending) {
	name := s.Cmd[0]
	if strings.IndexByte(name, '/') >= 0 {
		return name, nil
	}
	path, ok := s.Getenv("PATH")
	if !ok {
		path = os.Getenv("PATH")
	}
	refused := ""
	for _, dir := range strings.Split(path, ":") {
		if dir == "" {
			dir = "."
		}
		file := dir + "/" + name
		var st unix.Stat_t
		if unix.Stat(inDir(s, file), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			continue
		}
		if st.Mode&0o111 != 0 {
			return file, nil
		}
		refused = file
	}
	if refused != "" {
		return "", &ending{reason: "cannot execute " + refused + ": not executable"}
	}
	return "", &ending{reason: "cannot execute " + name + ": no such file in PATH " + path}
}

// inDir is where a path leads once the program's directory is entered.
func inDir(s *spec.Spec, path string) string {
	if s.Dir == "" || strings.HasPrefix(path, "/") {
		return path
	}
	return s.Dir + "/" + path
}

// culprit names what made fork and exec fail. Their errno does not tell:
// ENOENT may mean the directory, the file or the file's interpreter. They are
// tried in the order in which the kernel met them.
func culprit(s *spec.Spec, path string, errno syscall.Errno) *ending {
	if isShortage(errno) {
		return failure("start "+path, errno)
	}
	if s.Dir != "" {
		if fail := badDirectory(s.Dir); fail != nil {
			return fail
		}
	}
	file := inDir(s, path)
	what := "execute " + path
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return failure(what, err.(syscall.Errno))
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return &ending{reason: "cannot " + what + ": is a directory"}
	case st.Mode&0o111 == 0:
		return &ending{reason: "cannot " + what + ": not executable"}
	case errno == unix.ENOEXEC:
		return &ending{reason: "cannot " + what + ": not a program (no #! line)"}
	case errno == unix.ENOENT || errno == unix.EACCES || errno == unix.ELIBBAD:
		if name := interpreter(file); name != "" {
			return failure(what+": bad interpreter "+name, errno)
		}
	}
	return failure(what, errno)
}

func badDirectory(dir string) *ending {
	what := "change to directory " + dir
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return failure(what, err.(syscall.Errno))
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return &ending{reason: "cannot " + what + ": " + die.Errno(unix.ENOTDIR)}
	}
	if unix.Access(dir, unix.X_OK) != nil {
		return failure(what, unix.EACCES)
	}
	return nil
}

// interpreter returns what a #! line names, or the loader of an ELF file
// whose loader is missing.
func interpreter(file string) string {
	head, err := procfs.ReadFile(file, 4096)
	if err != nil {
		return ""
	}
	if rest, ok := bytes.CutPrefix(head, []byte("#!")); ok {
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		if words := bytes.Fields(line); len(words) > 0 {
			return string(bytes.TrimSuffix(words[0], []byte("\r"))) + carriage(words[0])
		}
		return ""
	}
	if bytes.HasPrefix(head, []byte("\x7fELF")) {
		// The loader's path is the one absolute path near the beginning of a
		// dynamic program.
		if at := bytes.Index(head, []byte("/lib")); at >= 0 {
			path, _, _ := bytes.Cut(head[at:], []byte{0})
			return string(path)
		}
	}
	return ""
}

// carriage makes the commonest reason of a bad interpreter visible: a file
// with the line ends of another system.
func carriage(word []byte) string {
	if bytes.HasSuffix(word, []byte("\r")) {
		return " (its line ends in CR LF)"
	}
	return ""
}

// programFiles are the real paths that /proc/PID/exe may show for the spec's
// program: its file and, for a script, its interpreter.
func programFiles(s *spec.Spec) []string {
	path, fail := find(s)
	if fail != nil {
		return nil
	}
	file := inDir(s, path)
	found := []string{realPath(file)}
	if name := interpreter(file); name != "" {
		found = append(found, realPath(name))
	}
	return found
}

func realPath(path string) string {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return path
	}
	defer unix.Close(fd)
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlink("/proc/self/fd/"+itoa(fd), buf)
	if err != nil {
		return path
	}
	return string(buf[:n])
}
