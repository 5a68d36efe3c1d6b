package kafka

import (
	"maps"
	"os"
	"slices"
	"strings"
)

// properties is a Java properties file of plain keys and values.
type properties map[string]string

func (p properties) merge(over map[string]string) { maps.Copy(p, over) }

func (p properties) write(path string) error {
	var b strings.Builder
	for _, k := range sortedKeys(p) {
		b.WriteString(k + "=" + p[k] + "\n")
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
