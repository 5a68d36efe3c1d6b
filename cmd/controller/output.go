package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"go.yaml.in/yaml/v3"
)

var outputs = []string{"table", "json", "yaml"}

// print writes v in the chosen form; table writes the one for people.
func (a *app) print(v any, table func(io.Writer)) error { return a.printTo(a.out, v, table) }

func (a *app) printTo(w io.Writer, v any, table func(io.Writer)) error {
	if a.flags.output == "table" {
		table(w)
		return nil
	}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if a.flags.output == "yaml" {
		if text, err = toYAML(text); err != nil {
			return fmt.Errorf("output: %w", err)
		}
	}
	_, err = fmt.Fprintln(w, strings.TrimRight(string(text), "\n"))
	return err
}

// toYAML turns JSON, which is YAML, into YAML's block style: names and their order are those of the JSON form.
func toYAML(text []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	plain(&doc)
	return yaml.Marshal(&doc)
}

func plain(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode && len(n.Content) > 0 {
		n.Style = 0
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		n.Style = 0 // the encoder quotes again what needs it
	}
	for _, c := range n.Content {
		plain(c)
	}
}

// columns aligns rows whose cells are separated by tabs.
func columns(w io.Writer, rows func(line func(cells ...any))) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	rows(func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				_, _ = fmt.Fprint(t, "\t")
			}
			_, _ = fmt.Fprint(t, c)
		}
		_, _ = fmt.Fprintln(t)
	})
	_ = t.Flush()
}

// Colours of levels, where a terminal shows them and nobody objects (NO_COLOR).
const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (a *app) paint(color, text string) string {
	off, _ := a.lookup("NO_COLOR")
	term, _ := a.lookup("TERM")
	if !a.color || off != "" || term == "dumb" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

func leader(id int32) string {
	if id < 0 {
		return "none"
	}
	return strconv.Itoa(int(id))
}

func arrow(before, after string) string {
	if before == after {
		return before
	}
	return before + " -> " + after
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
