// Package docs_test holds the documents to what they name.
package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	quoted   = regexp.MustCompile("`([^`]+)`")
	goTest   = regexp.MustCompile(`^([a-z][a-z0-9/]*)\.(Test\w+)$`)
	scenario = regexp.MustCompile(`^[a-z]+/testdata/\w+$`)
)

// TestDefectsHaveTheirTests: every row of defects.md ends with tests that there are.
func TestDefectsHaveTheirTests(t *testing.T) {
	text, err := os.ReadFile("defects.md")
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string]map[string]bool{}
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || cells[0] == " defect " {
			continue
		}
		rows++
		names := quoted.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(cells) != 4 || len(names) == 0 {
			t.Errorf("a row of %d cells that names %d tests: %s", len(cells), len(names), line)
		}
		for _, name := range names {
			if why := missing(t, packages, name[1]); why != "" {
				t.Errorf("%s:%s", why, cells[0])
			}
		}
	}
	if rows == 0 {
		t.Error("no rows")
	}
}

// missing says why a test that was named is none, "" if it is one.
func missing(t *testing.T, packages map[string]map[string]bool, name string) string {
	if scenario.MatchString(name) {
		if _, err := os.Stat(filepath.Join("..", name)); err != nil {
			return err.Error()
		}
		return ""
	}
	m := goTest.FindStringSubmatch(name)
	if m == nil {
		return name + " is neither package.Test nor a scenario file"
	}
	if packages[m[1]] == nil {
		packages[m[1]] = tests(t, filepath.Join("..", m[1]))
	}
	if !packages[m[1]][m[2]] {
		return name + " does not exist"
	}
	return ""
}

// tests returns the top-level functions of a package's test files.
func tests(t *testing.T, dir string) map[string]bool {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, f := range files {
		file, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				out[f.Name.Name] = true
			}
		}
	}
	return out
}
