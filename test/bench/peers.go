package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// A process is the top process of a system.
type process struct {
	cmd  *exec.Cmd
	done chan error
}

func (p *process) run(cmd *exec.Cmd) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = null, null, null
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p.cmd, p.done = cmd, make(chan error, 1)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { p.done <- cmd.Wait() }()
	return nil
}

func (p *process) root() int { return p.cmd.Process.Pid }

func (p *process) end(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

func (p *process) abandon() {
	for _, pid := range tree(p.root(), "") {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

func (p *process) extra(*run) []result { return nil }

// lacks names the first of the programs that is not in PATH.
func lacks(programs ...string) string {
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			return name
		}
	}
	return ""
}

// services makes n service directories whose run is the program itself, which
// is the fastest that these systems know.
func services(dir, program string, n int) (list []string, err error) {
	for i := range n {
		service := filepath.Join(dir, "services", "x"+strconv.Itoa(i))
		if err := os.MkdirAll(service, 0o755); err != nil {
			return nil, err
		}
		if err := os.Symlink(program, filepath.Join(service, "run")); err != nil {
			return nil, err
		}
		list = append(list, service)
	}
	return list, nil
}

// A scanned system looks after a directory of service directories.
type scanned struct {
	process
	dir  string
	list []string
}

func (c *scanned) scan(s *settings, dir, stamps string, n int, argv ...string) (err error) {
	c.dir = filepath.Join(dir, "services")
	if c.list, err = services(dir, s.stamp, n); err != nil {
		return err
	}
	cmd := exec.Command(argv[0], append(argv[1:], c.dir)...)
	cmd.Env = append(os.Environ(), "STAMP="+stamps)
	return c.run(cmd)
}

type svscan struct{ scanned }

func (d *svscan) name() string    { return "daemontools" }
func (d *svscan) missing() string { return lacks("svscan", "svc", "svstat") }
func (d *svscan) start(s *settings, dir, stamps string, n int) error {
	return d.scan(s, dir, stamps, n, "svscan")
}
func (d *svscan) status() error { return exec.Command("svstat", d.list...).Run() }
func (d *svscan) stop() error {
	d.end(syscall.SIGTERM) // else it starts them again
	return exec.Command("svc", append([]string{"-dx"}, d.list...)...).Run()
}

type s6 struct{ scanned }

func (d *s6) name() string    { return "s6" }
func (d *s6) missing() string { return lacks("s6-svscan", "s6-svscanctl", "s6-svstat") }
func (d *s6) start(s *settings, dir, stamps string, n int) error {
	return d.scan(s, dir, stamps, n, "s6-svscan", "-c", strconv.Itoa(2*n+10))
}

// status asks once for each service: s6 has no command for several.
func (d *s6) status() error {
	for _, service := range d.list {
		if err := exec.Command("s6-svstat", service).Run(); err != nil {
			return err
		}
	}
	return nil
}
func (d *s6) stop() error { return exec.Command("s6-svscanctl", "-t", d.dir).Run() }

type runit struct{ scanned }

func (d *runit) name() string    { return "runit" }
func (d *runit) missing() string { return lacks("runsvdir", "sv") }
func (d *runit) start(s *settings, dir, stamps string, n int) error {
	return d.scan(s, dir, stamps, n, "runsvdir")
}
func (d *runit) status() error {
	return exec.Command("sv", append([]string{"status"}, d.list...)...).Run()
}
func (d *runit) stop() error { return d.end(syscall.SIGHUP) }

type supervisor struct {
	process
	file string
}

func (d *supervisor) name() string    { return "Supervisor" }
func (d *supervisor) missing() string { return lacks("supervisord", "supervisorctl") }
func (d *supervisor) start(s *settings, dir, stamps string, n int) error {
	d.file = filepath.Join(dir, "supervisord.conf")
	text := fmt.Sprintf(`[supervisord]
logfile=%[1]s/log
pidfile=%[1]s/pid
nodaemon=true
minfds=%[4]d
[unix_http_server]
file=%[1]s/sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://%[1]s/sock
[program:x]
command=%[2]s %[3]s
numprocs=%[5]d
process_name=%%(process_num)d
autorestart=true
stdout_logfile=NONE
stderr_logfile=NONE
`, dir, s.stamp, stamps, 4096+8*n, n)
	if err := os.WriteFile(d.file, []byte(text), 0o644); err != nil {
		return err
	}
	return d.run(exec.Command("supervisord", "-c", d.file))
}

func (d *supervisor) status() error {
	return exec.Command("supervisorctl", "-c", d.file, "status").Run()
}
func (d *supervisor) stop() error { return d.end(syscall.SIGTERM) }
