package examples_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"taskmaster/test/tmtest"

	"gopkg.in/yaml.v3"
)

// TestContainer runs the configuration of the image as PID 1 of a PID
// namespace: programs write to its standard output, and nothing is left.
func TestContainer(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Fatal("only root can make a PID namespace: run this test as root")
	}
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin+"/webserver", examples+"/webserver").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	h := hostOf(t, "container", "8080", freePort(t), "webserver 0.0.0.0", bin+"/webserver 127.0.0.1", "state: /run/taskmaster", "")
	d := h.Launch(exec.Command("unshare", "--pid", "--fork", "--mount-proc", "--kill-child=TERM",
		tmtest.Bin("tmd"), "-c", h.Config, "-d", h.State))
	await(h, "tmd.out", `answers on http://`)
	await(h, "tmd.out", `worker:1 works`)
	if pid := strings.TrimSpace(h.OK("pid")); pid != "1" {
		t.Errorf("tmd has pid %s", pid)
	}
	h.OK("shutdown")
	d.Wait()
	h.NothingLeft()
}

// TestContainerfile holds that what the description copies is there, and that
// what it runs is what is installed.
func TestContainerfile(t *testing.T) {
	t.Parallel()
	text := read(t, filepath.Join(examples, "container", "Containerfile"))
	for _, row := range strings.Split(text, "\n") {
		words := strings.Fields(row)
		if len(words) == 0 || words[0] != "COPY" {
			continue
		}
		if strings.HasPrefix(words[1], "--from=") {
			continue
		}
		for _, source := range words[1 : len(words)-1] {
			if _, err := os.Stat(filepath.Join(examples, "..", source)); err != nil {
				t.Error(err)
			}
		}
	}
	for _, key := range []string{"ENTRYPOINT", "HEALTHCHECK CMD"} {
		found := regexp.MustCompile(`(?m)^` + key + ` (\[.*\])$`).FindStringSubmatch(text)
		var words []string
		if found == nil || json.Unmarshal([]byte(found[1]), &words) != nil {
			t.Errorf("%s is no list of words", key)
			continue
		}
		checkCommand(t, words, "/etc/taskmaster.yaml")
	}
	if !strings.Contains(text, "COPY examples/container/taskmaster.yaml /etc/taskmaster.yaml") {
		t.Error("the configuration is not where tmd looks for it")
	}
}

// checkCommand holds that a command is one of ours with the configuration.
func checkCommand(t *testing.T, words []string, config string) {
	t.Helper()
	program := filepath.Base(words[0])
	if _, err := os.Stat(tmtest.Bin(program)); err != nil || len(words) < 3 || words[1] != "-c" || words[2] != config {
		t.Errorf("%q does not run one of our programs on %s", words, config)
	}
}

// checkConfig holds that tmd takes a configuration, and stops it within the
// time that its engine gives.
func checkConfig(t *testing.T, text string, grace time.Duration) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "taskmaster.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tmtest.Bin("tmd"), "-t", "-c", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
	var conf struct {
		Defaults struct{ Stoptime int }
		Programs map[string]any
	}
	if err := yaml.Unmarshal([]byte(text), &conf); err != nil {
		t.Fatal(err)
	}
	if need := time.Duration(conf.Defaults.Stoptime*len(conf.Programs)) * time.Second; need == 0 || need > grace {
		t.Errorf("a stop may take %s, the engine gives %s", need, grace)
	}
}

func TestKubernetes(t *testing.T) {
	t.Parallel()
	var configMap struct {
		Kind     string
		Metadata struct{ Name string }
		Data     map[string]string
	}
	type probe struct {
		Exec struct{ Command []string }
	}
	var deployment struct {
		Kind string
		Spec struct {
			Selector struct {
				MatchLabels map[string]string `yaml:"matchLabels"`
			}
			Template struct {
				Metadata struct{ Labels map[string]string }
				Spec     struct {
					Grace      int `yaml:"terminationGracePeriodSeconds"`
					Containers []struct {
						Command   []string
						Readiness probe `yaml:"readinessProbe"`
						Liveness  probe `yaml:"livenessProbe"`
					}
					Volumes []struct {
						ConfigMap struct{ Name string } `yaml:"configMap"`
					}
				}
			}
		}
	}
	documents := yaml.NewDecoder(strings.NewReader(read(t, filepath.Join(examples, "orchestration", "kubernetes.yaml"))))
	if err := documents.Decode(&configMap); err != nil {
		t.Fatal(err)
	}
	if err := documents.Decode(&deployment); err != nil {
		t.Fatal(err)
	}
	pod := deployment.Spec.Template
	if configMap.Kind != "ConfigMap" || deployment.Kind != "Deployment" || len(pod.Spec.Containers) != 1 ||
		fmt.Sprint(pod.Metadata.Labels) != fmt.Sprint(deployment.Spec.Selector.MatchLabels) ||
		len(pod.Spec.Volumes) != 1 || pod.Spec.Volumes[0].ConfigMap.Name != configMap.Metadata.Name {
		t.Fatalf("the parts do not fit: %+v %+v", configMap, deployment)
	}
	container := pod.Spec.Containers[0]
	for _, words := range [][]string{container.Command, container.Readiness.Exec.Command, container.Liveness.Exec.Command} {
		checkCommand(t, words, "/etc/taskmaster/taskmaster.yaml")
	}
	if !slices.Contains(container.Readiness.Exec.Command, "status") {
		t.Error("the probe is not tmctl status")
	}
	checkConfig(t, configMap.Data["taskmaster.yaml"], time.Duration(pod.Spec.Grace)*time.Second)
}

func TestNomad(t *testing.T) {
	t.Parallel()
	var job struct {
		Job struct {
			ID         string
			TaskGroups []struct {
				Services []struct {
					Checks []struct {
						Command string
						Args    []string
					}
				}
				Tasks []struct {
					KillSignal  string
					KillTimeout time.Duration
					Config      struct {
						Entrypoint, Args []string
					}
					Templates []struct{ DestPath, EmbeddedTmpl, ChangeSignal string }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(examples, "orchestration", "nomad.json"))), &job); err != nil {
		t.Fatal(err)
	}
	group := job.Job.TaskGroups[0]
	task, check := group.Tasks[0], group.Services[0].Checks[0]
	checkCommand(t, append(task.Config.Entrypoint, task.Config.Args...), "/local/taskmaster.yaml")
	checkCommand(t, append([]string{check.Command}, check.Args...), "/local/taskmaster.yaml")
	if task.KillSignal != "SIGTERM" || task.Templates[0].ChangeSignal != "SIGHUP" || task.Templates[0].DestPath != "local/taskmaster.yaml" {
		t.Errorf("%+v", task)
	}
	checkConfig(t, task.Templates[0].EmbeddedTmpl, task.KillTimeout)
}
