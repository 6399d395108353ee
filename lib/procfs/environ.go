package procfs

import "bytes"

// HasEnv reports whether the environment that pid was started with holds all
// of the KEY=VALUE entries. A program that overwrote it to show a title
// (nginx, redis) has none.
func HasEnv(pid int, entries ...string) bool {
	text, err := environ(pid)
	if err != nil {
		return false
	}
	for _, entry := range entries {
		if !hasEntry(text, entry) {
			return false
		}
	}
	return true
}

// HasEnvKey reports whether the environment that pid was started with sets a
// variable of that name.
func HasEnvKey(pid int, key string) bool {
	text, err := environ(pid)
	return err == nil && (bytes.HasPrefix(text, []byte(key+"=")) || bytes.Contains(text, []byte("\x00"+key+"=")))
}

// execTries bounds how often a process in the middle of an exec is looked at,
// a millisecond apart.
const execTries = 100

// environ reads the environment that pid was started with. For a moment in
// each execve(2) a process shows none: then it is looked at again.
func environ(pid int) (text []byte, err error) {
	for tries, bare := 0, 0; tries < execTries && bare < 2; tries++ {
		text, err = ReadFile(file(pid, "environ"), 4<<20)
		if err != nil || len(text) > 0 {
			break
		}
		start, end, ok := placeOfEnv(pid)
		if !ok {
			break
		}
		if start == end && end != 0 {
			bare++ // it has none, or execve(2) is just about to fill the place
		}
		awaitEnd(pid, 1)
	}
	return text, err
}

// placeOfEnv is where a process has its environment: both are zero in the
// middle of an exec. A kernel thread and a zombie have no memory: ok is false.
func placeOfEnv(pid int) (start, end uint64, ok bool) {
	var buf [1024]byte
	text, err := ReadInto(file(pid, "stat"), buf[:])
	if err != nil {
		return 0, 0, false
	}
	const first, vsize, envStart, envEnd = 3, 23, 50, 51 // the numbers of proc(5)
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) <= envEnd-first || number(fields[vsize-first]) == 0 {
		return 0, 0, false
	}
	return number(fields[envStart-first]), number(fields[envEnd-first]), true
}

func hasEntry(environ []byte, entry string) bool {
	for len(environ) > 0 {
		one, rest, _ := bytes.Cut(environ, []byte{0})
		if string(one) == entry {
			return true
		}
		environ = rest
	}
	return false
}
