package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"taskmaster/lib/die"
	"taskmaster/lib/expand"

	"gopkg.in/yaml.v3"
)

// maxFile is the largest configuration file in bytes, as taskmaster.yaml(5)
// has it.
const maxFile = 1 << 20

// readMailMap takes the `mail:` map of a YAML file into s: at the top of the
// file, or under `taskmaster:`. All else in the file is not looked at, so
// that a taskmaster.yaml will do. All mistakes are reported together, each as
// "file:line:col: message". The nodes are read as they stand, an alias is
// followed once and never expanded, so no bomb can go off.
func (s *settings) readMailMap(file string) error {
	in, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("unable to open %s: %s", file, die.Reason(err))
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return err
	}
	if len(text) > maxFile {
		return fmt.Errorf("%s: larger than 1 MiB", file)
	}
	var document yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&document); err != nil && err != io.EOF {
		return fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	m := mapReader{file: file}
	m.read(findMail(&document), s)
	return errors.Join(m.mistakes...)
}

// findMail returns the node of the `mail:` map, nil when there is none.
func findMail(document *yaml.Node) *yaml.Node {
	if len(document.Content) == 0 {
		return nil
	}
	root := document.Content[0]
	if found := valueOf(root, "mail"); found != nil {
		return found
	}
	return valueOf(valueOf(root, "taskmaster"), "mail")
}

func valueOf(node *yaml.Node, key string) *yaml.Node {
	if node = follow(node); node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return follow(node.Content[i+1])
		}
	}
	return nil
}

func follow(node *yaml.Node) *yaml.Node {
	if node != nil && node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// A mapReader collects what is wrong in one file.
type mapReader struct {
	file     string
	mistakes []error
}

func (m *mapReader) mistake(at *yaml.Node, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	m.mistakes = append(m.mistakes, fmt.Errorf("%s:%d:%d: %s", m.file, at.Line, at.Column, text))
}

func (m *mapReader) read(node *yaml.Node, s *settings) {
	if node == nil {
		m.mistakes = append(m.mistakes, fmt.Errorf("%s: has no mail: map", m.file))
		return
	}
	if node.Kind != yaml.MappingNode {
		m.mistake(node, "mail: must be a map")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], follow(node.Content[i+1])
		if seen[key.Value] {
			m.mistake(key, "%s: given twice", key.Value)
			continue
		}
		seen[key.Value] = true
		if !slices.Contains(mailKeys, key.Value) {
			m.mistake(key, "%s: unknown key (known are %s)", key.Value, strings.Join(mailKeys, ", "))
			continue
		}
		words, ok := m.words(key.Value, value)
		if !ok {
			continue
		}
		if err := s.set(key.Value, words); err != nil {
			m.mistake(value, "%s: %v", key.Value, err)
		}
	}
}

// words returns a scalar as one word and a list of scalars as several.
func (m *mapReader) words(key string, value *yaml.Node) ([]string, bool) {
	nodes := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		nodes = value.Content
	}
	var words []string
	for _, node := range nodes {
		node = follow(node)
		if node.Kind != yaml.ScalarNode {
			m.mistake(node, "%s: must be a value or a list of values", key)
			return nil, false
		}
		word, err := expand.Setting(node.Value, m.file)
		if err != nil {
			m.mistake(node, "%s: %v", key, err)
			return nil, false
		}
		words = append(words, word)
	}
	return words, true
}
