// Tmd is the main program of taskmaster: it reads the YAML file, keeps one
// tmsupervise for every process instance, keeps the wish (what should run)
// and the view (what does), and serves clients. tmd(8) is its manual.
//
// One goroutine, daemon.loop, owns all of it. Others wait for something, a
// client, a signal, a child, and hand the loop a function to run.
package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"

	"taskmaster/lib/cleansig"
	"taskmaster/lib/config"
	"taskmaster/lib/die"
	"taskmaster/lib/proto"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

const synopsis = "tmd [-c FILE] [-d STATE] [-t] [-V] | tmd -import FILE"

// version is set by the Makefile.
var version = "devel"

// options are those of the command line.
type options struct {
	config string // "" when it is to be found by default
	found  bool   // it was
	state  string // "" when the file or the default says
}

func main() {
	die.Name = "tmd"
	defer die.OnPanic()
	if err := cleansig.Ensure(); err != nil {
		die.Fatal(die.Temporary, "unable to reset signals", err)
	}
	ready := inheritReadiness()
	if len(os.Args) > 1 && os.Args[1] == "-import" {
		if len(os.Args) != 3 {
			die.UsageError("-import takes one file and nothing else", synopsis)
		}
		importSupervisor(os.Args[2])
		return
	}
	given, rest, err := proto.ParseOptions("c:d:tV", os.Args[1:])
	if err != nil {
		die.UsageError(err.Error(), synopsis)
	}
	if len(rest) > 0 {
		die.UsageError("unexpected argument "+rest[0], synopsis)
	}
	if given.Has('V') {
		fmt.Println("tmd", version)
		return
	}
	o := options{config: given['c'], state: given['d']}
	if !given.Has('c') {
		o.config, o.found = config.Find()
	}
	requests := holdSignals(unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2)
	file := load(o)
	if given.Has('t') {
		warnLimits(file)
		return
	}
	unix.CloseRange(3, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC)
	d := newDaemon(o, file)
	d.ready, d.requests = ready, requests
	os.Exit(d.run())
}

// load reads the configuration or says everything that is wrong with it and
// exits 100.
func load(o options) *config.File {
	file, mistakes := config.Load(o.config, loadOptions(o, runToEnd))
	if len(mistakes) == 1 && mistakes[0].Line == 0 {
		die.Fatal(die.Usage, mistakes[0].Text, nil)
	}
	for _, m := range mistakes {
		sayLine(m.Error())
	}
	if len(mistakes) > 0 {
		die.Fatal(die.Usage, "unable to use "+shown(o.config), fmt.Errorf("%s", count(len(mistakes), "mistake")))
	}
	for _, w := range file.Warnings {
		sayLine(w)
	}
	return file
}

func loadOptions(o options, run func(...string) ([]byte, error)) config.Options {
	c := config.DefaultOptions()
	c.Found = o.found
	c.Run = run
	return c
}

func shown(path string) string {
	if path == "" {
		return "the configuration"
	}
	return path
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// sayLine writes a line that has its own form, `file:line:col: message`.
func sayLine(text string) { unix.Write(die.Stderr, []byte(text+"\n")) }

// stateDir is where the state directory is to be: -d, the file, the default.
// The path is absolute and clean, so that two spellings of it are one.
func stateDir(o options, file *config.File) (string, error) {
	return filepath.Abs(cmp.Or(o.state, file.Settings.State, statedir.Default()))
}
