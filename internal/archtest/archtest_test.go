package archtest

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rule forbids packages to import others. An entry of banned stands for everything below it, too.
type rule struct {
	packages []string
	banned   map[string]string // import path to reason
}

var core = []string{"epoch", "isr", "partition", "cluster", "quota", "recovery", "planner"}

// shell packages meet in controller only.
var shell = []string{"zkstore", "channel", "server", "admin", "measure", "sample"}

func rules() []rule {
	const io = "the core does no I/O: a decision is a function of its input"
	rs := []rule{{core, map[string]string{
		"net": io, "os": io, "syscall": io, "io": io,
		"time":                       "time enters the core as events, or the same events would not give the same plans",
		"context":                    "nothing in the core waits",
		"sync":                       "one goroutine owns the core's state; a lock would hide that another one touches it",
		"math/rand":                  "randomness enters the core as events, or a seed would not replay",
		"crypto/rand":                "randomness enters the core as events, or a seed would not replay",
		"log":                        "the core returns Notes, the shell logs them",
		"go.uber.org/zap":            "the core returns Notes, the shell logs them",
		"github.com/go-zookeeper/zk": "only zkstore speaks ZooKeeper",
		"baton/wire":                 "the core knows nothing of bytes",
		"baton/config":               "the core is given Settings",
		"baton/metrics":              "the core returns Notes, the shell counts them",
		"baton/controller":           "the core knows nothing of the shell",
	}}}
	for _, s := range shell {
		rs[0].banned["baton/"+s] = "the core knows nothing of the shell"
		r := rule{[]string{s}, map[string]string{
			"baton/controller": "the shell is put together by controller, not the other way round",
			"baton/metrics":    "shell packages take a small interface of their own, so that tests need no registry",
		}}
		for _, other := range shell {
			if other != s {
				r.banned["baton/"+other] = "shell packages do not know each other; they meet in controller"
			}
		}
		rs = append(rs, r)
	}
	rs = append(rs, asking(), simulated())
	rs = append(rs, records()...)
	// Each core package may import those before it: the order is the order of ideas.
	for i, p := range core {
		r := rule{[]string{p}, map[string]string{}}
		for _, later := range core[i+1:] {
			r.banned["baton/"+later] = "the core is layered: " + strings.Join(core, " < ")
		}
		rs = append(rs, r)
	}
	return append(append(rs, embedded()...), worlds()...)
}

// asking are the packages that answer people's questions with the core's decisions: as pure as it, but for the time of a
// document, and the bytes of it.
func asking() rule {
	const io = "an answer is a function of a snapshot"
	r := rule{[]string{"snapshot", "whatif", "explain"}, map[string]string{"net/http": io, "os": io, "syscall": io, "context": io, "sync": io,
		"math/rand": io, "log": io, "go.uber.org/zap": io, "baton/config": io, "baton/metrics": io, "baton/controller": io, "baton/node": io}}
	for _, s := range shell {
		r.banned["baton/"+s] = io
	}
	return r
}

// embedded ZooKeeper: a codec that knows nothing, and a server that knows the codec.
func embedded() []rule {
	const why = "the embedded ZooKeeper stands alone: it may only share the codec"
	codec := rule{[]string{"jute"}, map[string]string{"baton": "jute is bytes: it knows nothing of ours", "net": "jute is bytes"}}
	server := rule{[]string{"zkserver"}, map[string]string{
		"github.com/go-zookeeper/zk": "a server that shares the client's code shares its mistakes",
	}}
	for _, p := range append(append([]string{"wire", "config", "metrics", "node", "internal", "e2e"}, core...), append(shell, "controller")...) {
		server.banned["baton/"+p] = why
	}
	return []rule{codec, server}
}

// worlds are built around the controller, never into it; and who judges it does not use its code.
func worlds() []rule {
	inside := rule{append(append([]string{"wire", "config", "metrics", "node", "controller", "check", "statelog"}, core...), shell...), map[string]string{}}
	for _, p := range []string{"dev", "sim", "simbroker", "zkserver", "e2e"} {
		inside.banned["baton/"+p] = "the controller knows nothing of the worlds it is tried in"
	}
	judge := rule{[]string{"sim/history"}, map[string]string{}}
	for _, p := range append([]string{"planner", "cluster", "isr", "controller", "node"}, shell...) {
		judge.banned["baton/"+p] = "what judges the controller reads the znodes by itself"
	}
	return []rule{inside, judge}
}

func TestImports(t *testing.T) {
	root := filepath.Join("..", "..")
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	for _, r := range rules() {
		for _, p := range r.packages {
			for file, imports := range importsOf(t, filepath.Join(root, p)) {
				for _, imp := range imports {
					if why := r.forbids(imp); why != "" {
						t.Errorf("%s imports %s: %s", file, imp, why)
					}
				}
			}
		}
	}
}

// TestOneSpeaker: the ZooKeeper client library is zkstore's alone, the simulated brokers', which are not the controller,
// and the end-to-end tests' to look from outside.
func TestOneSpeaker(t *testing.T) {
	root := filepath.Join("..", "..")
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	speakers := []string{"zkstore", "simbroker", "internal", "e2e"}
	for _, e := range entries {
		if !e.IsDir() || slices.Contains(speakers, e.Name()) {
			continue
		}
		for file, imports := range importsOf(t, filepath.Join(root, e.Name())) {
			if slices.Contains(imports, "github.com/go-zookeeper/zk") {
				t.Errorf("%s imports github.com/go-zookeeper/zk: only zkstore speaks ZooKeeper", file)
			}
		}
	}
}

// TestAskedWithoutAClock: what answers people's questions is told the time.
func TestAskedWithoutAClock(t *testing.T) {
	for _, p := range asking().packages {
		files, err := filepath.Glob(filepath.Join("..", "..", p, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, call := range []string{"time.Now(", "time.Since(", "time.Sleep(", "time.After("} {
				if !strings.HasSuffix(f, "_test.go") && strings.Contains(string(text), call) {
					t.Errorf("%s calls %s…): an answer is a function of a snapshot", f, call)
				}
			}
		}
	}
}

func TestForbids(t *testing.T) {
	r := rule{banned: map[string]string{"net": "why", "baton/server": "because"}}
	for imp, want := range map[string]string{"net": "why", "net/http": "why", "network": "", "baton/server": "because", "baton/servers": ""} {
		if got := r.forbids(imp); got != want {
			t.Errorf("forbids(%q) = %q, want %q", imp, got, want)
		}
	}
}

// simulated brokers stand where real ones do: on the other side of every connection.
func simulated() rule {
	const why = "a broker that shares the controller's code shares its mistakes; it knows the bytes and the core's types"
	r := rule{[]string{"simbroker"}, map[string]string{}}
	for _, p := range append([]string{"planner", "controller", "node", "config", "metrics", "zkserver", "e2e"}, shell...) {
		r.banned["baton/"+p] = why
	}
	return r
}

// records: what an entry of the journal is may be known to all, where it is kept only to node and cmd, which wire it.
func records() []rule {
	const why = "what is made of entries is a function of them"
	pure := rule{[]string{"journal/entry"}, map[string]string{"net": why, "os": why, "io": why, "sync": why, "context": why, "go.uber.org/zap": why}}
	keeper := rule{[]string{"journal"}, map[string]string{"baton/metrics": "shell packages take a small interface of their own, so that tests need no registry"}}
	for _, s := range append([]string{"controller", "node", "config"}, shell...) {
		pure.banned["baton/"+s] = why
		keeper.banned["baton/"+s] = "shell packages do not know each other; they meet in node"
	}
	return []rule{pure, keeper}
}

func (r rule) forbids(imp string) string {
	for banned, why := range r.banned {
		if imp == banned || strings.HasPrefix(imp, banned+"/") {
			return why
		}
	}
	return ""
}

// importsOf reads the imports of a directory's files, tests left out: those may use what they like. A package that does
// not exist yet breaks no rule.
func importsOf(t *testing.T, dir string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			out[filepath.ToSlash(f)] = append(out[filepath.ToSlash(f)], path)
		}
	}
	return out
}
