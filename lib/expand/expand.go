// Package expand replaces the %(NAME)s in settings that belong to no program,
// for tools that read a few keys of a taskmaster.yaml(5) themselves. What may
// stand in those of a program is known to lib/config.
package expand

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Setting returns text with %(here)s, which is the absolute directory of file,
// %(host_node_name)s and %(ENV_X)s replaced; %% is a percent sign. The error
// says in words what cannot be: another expansion, a lone percent sign, a
// variable that the environment does not have.
func Setting(text, file string) (string, error) {
	var out strings.Builder
	for {
		plain, rest, found := strings.Cut(text, "%")
		out.WriteString(plain)
		if !found {
			return out.String(), nil
		}
		if after, escaped := strings.CutPrefix(rest, "%"); escaped {
			out.WriteByte('%')
			text = after
			continue
		}
		name, after, closed := strings.Cut(rest, ")s")
		name, opened := strings.CutPrefix(name, "(")
		if !opened || !closed {
			return "", errors.New("a percent sign is written %%")
		}
		value, err := valueOf(name, file)
		if err != nil {
			return "", err
		}
		out.WriteString(value)
		text = after
	}
}

func valueOf(name, file string) (string, error) {
	switch name {
	case "here":
		return filepath.Abs(filepath.Dir(file))
	case "host_node_name":
		return os.Hostname()
	}
	variable, isVariable := strings.CutPrefix(name, "ENV_")
	if !isVariable {
		return "", fmt.Errorf("%%(%s)s: unknown expansion", name)
	}
	value, set := os.LookupEnv(variable)
	if !set {
		return "", fmt.Errorf("%%(%s)s: no such variable in the environment", name)
	}
	return value, nil
}
