package main

import (
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"taskmaster/lib/proto"
)

var showCommand = command{
	name:  "show",
	args:  "TARGET",
	about: "print the effective configuration, and which line says so",
	detail: `YAML with the expanded value of every key; the comment names file and line that
set it, or says that it is the default. Several instances are a map of them.`,
	operands: []operand{anyTarget},
	min:      1, max: 1,
	run: runShow,
}

// runShow prints `KEY VALUE FILE LINE` answers; one that is a single word is
// the name of the instance that follows, where there are several.
func runShow(s *session, c *call) error {
	indent := ""
	return s.do(func(r proto.Reply) {
		// Split at each space, since VALUE and FILE may be empty words.
		fields := strings.Split(r.Text, " ")
		for i := range fields {
			fields[i] = decoded(fields[i])
		}
		switch len(fields) {
		case 1:
			fmt.Fprintf(s.out, "%s:\n", yamlValue(fields[0]))
			indent = "  "
		case 4:
			from := "default"
			if line := fields[3]; line != "0" {
				from = escape(fields[2] + ":" + line)
			}
			fmt.Fprintf(s.out, "%s%s: %s  %s\n", indent, yamlValue(fields[0]), yamlValue(fields[1]),
				s.paint(dim, "# "+from))
		}
	}, c.words...)
}

// yamlValue returns text as it may stand behind a key: as it is, where YAML
// reads it as one value (`10s`, `[0, 2]`), else in double quotes.
func yamlValue(text string) string {
	if text == "" || text[0] == '#' || escape(text) != text || strings.TrimSpace(text) != text {
		return strconv.Quote(text)
	}
	var document yaml.Node
	err := yaml.Unmarshal([]byte("key: "+text+"\n"), &document)
	if err != nil || len(document.Content) != 1 {
		return strconv.Quote(text)
	}
	pair := document.Content[0].Content
	if len(pair) != 2 || strings.Contains(text, " #") || pair[1].Anchor != "" || pair[1].Kind == yaml.AliasNode {
		return strconv.Quote(text)
	}
	return text
}
