// Command bugs plants bugs in copies of the tree and shows which rung of the tests
// catches which: a rung that sees none of them would prove nothing.
//
// Each bug is a patch under internal/bugs/patches, against product code. A patch begins
// with lines of comment that say what it breaks. Make one with
//
//	git diff -U2 -- planner > internal/bugs/patches/NAME.patch
//
// and put the comment in front. The command ends with 0 if every bug is caught by a rung
// and none is found in the tree as it is.
//
//	go run ./internal/bugs [-only NAME,…] [-rung NAME]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// workers copies are tested at once: as many as the smallest machine has cores.
const workers = 2

// nothing is the name of the tree as it is, the control: no rung may find a bug there.
const nothing = "(no bug)"

func main() {
	only := flag.String("only", "", "plant only the bugs of these `names`, with commas between them")
	rung := flag.String("rung", "", "test on the rung of this `name` only")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := run(ctx, *only, *rung)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bugs:", err)
	}
	if err != nil || !ok {
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, only, rungName string) (ok bool, err error) {
	start := time.Now()
	root, err := findRoot(ctx)
	if err != nil {
		return false, err
	}
	patches, err := readPatches(filepath.Join(root, patchDir))
	if err != nil {
		return false, err
	}
	if only != "" {
		names := strings.Split(only, ",")
		patches = slices.DeleteFunc(patches, func(p patch) bool { return !slices.Contains(names, p.name) })
		if len(patches) != len(names) {
			return false, fmt.Errorf("%d patches of the names %q in %s", len(patches), only, patchDir)
		}
	}
	rungs := slices.DeleteFunc(present(root), func(g *rung) bool { return rungName != "" && g.name != rungName })
	if len(rungs) == 0 {
		return false, fmt.Errorf("no rung of the name %q", rungName)
	}
	if err := findPackages(ctx, root, rungs); err != nil {
		return false, err
	}
	temp, err := os.MkdirTemp("", "baton-bugs-")
	if err != nil {
		return false, err
	}
	defer func() { err = joinErr(err, os.RemoveAll(temp)) }()
	rows, err := plantAll(ctx, root, temp, append([]patch{{name: nothing}}, patches...), rungs)
	if err != nil {
		return false, err
	}
	ok = printTable(os.Stdout, rows, rungs)
	fmt.Printf("took %s\n", time.Since(start).Round(time.Second))
	return ok, nil
}

func joinErr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// plantAll tests each bug in a copy of its own; the rows have the order of the patches.
func plantAll(ctx context.Context, root, temp string, patches []patch, rungs []*rung) ([]row, error) {
	files, err := treeFiles(ctx, root)
	if err != nil {
		return nil, err
	}
	rows := make([]row, len(patches))
	errs := make([]error, len(patches))
	todo := make(chan int)
	var wg sync.WaitGroup
	var said sync.Mutex
	for range workers {
		wg.Go(func() {
			for i := range todo {
				dir := filepath.Join(temp, fmt.Sprint(i))
				rows[i], errs[i] = plant(ctx, root, dir, files, patches[i], rungs)
				said.Lock()
				fmt.Fprintf(os.Stderr, "%d/%d %s: %s\n", i+1, len(patches), patches[i].name, rows[i].summary())
				said.Unlock()
			}
		})
	}
	for i := range patches {
		todo <- i
	}
	close(todo)
	wg.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", patches[i].name, err)
		}
	}
	return rows, nil
}

// plant tests one bug on every rung that contains the code it changes.
func plant(ctx context.Context, root, dir string, files []string, p patch, rungs []*rung) (row, error) {
	r := row{patch: p, outcomes: make([]outcome, len(rungs))}
	if err := copyTree(root, dir, files); err != nil {
		return r, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the whole directory is removed at the end
	if p.file != "" {
		if out, err := apply(ctx, dir, p.file); err != nil {
			r.broken = "did not apply"
			r.detail = strings.TrimSpace(out)
			return r, nil
		}
	}
	for i, g := range rungs {
		if p.file != "" && !g.contains(p.packages) {
			r.outcomes[i] = outcome{verdict: apart}
			continue
		}
		o := g.run(ctx, dir)
		if o.verdict == unbuilt {
			r.broken, r.detail = "did not build", o.detail
			return r, nil
		}
		r.outcomes[i] = o
	}
	return r, nil
}
