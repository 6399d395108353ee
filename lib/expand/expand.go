// Package expand replaces the %(NAME)s in settings of a taskmaster.yaml(5): in
// those that belong to no program, for tools that read a few keys themselves,
// and, for lib/config, which knows what may stand in the others, in all.
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
func Setting(text, file string) (expanded string, err error) {
	expanded, _ = Each(text, func(rest string) (value, after string, ok bool) {
		name, after, closed := strings.Cut(rest, ")s")
		name, opened := strings.CutPrefix(name, "(")
		if !opened || !closed {
			err = errors.New("a percent sign is written %%")
			return "", "", false
		}
		value, err = valueOf(name, file)
		return value, after, err == nil
	})
	return expanded, err
}

// Each replaces each use of a variable in text; %% is a percent sign. One is
// given what follows the percent sign, and returns what to put there and what
// follows the use. Where it does not return ok, nor does Each, with "".
func Each(text string, one func(rest string) (value, after string, ok bool)) (expanded string, ok bool) {
	var out strings.Builder
	for {
		plain, rest, found := strings.Cut(text, "%")
		out.WriteString(plain)
		if !found {
			return out.String(), true
		}
		if after, escaped := strings.CutPrefix(rest, "%"); escaped {
			out.WriteByte('%')
			text = after
			continue
		}
		value, after, ok := one(rest)
		if !ok {
			return "", false
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
