// Command controller runs a Baton and talks to a running one. This package is wiring only.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	a := &app{
		in: os.Stdin, out: os.Stdout, errs: os.Stderr, environ: os.Environ(),
		tty: isTerminal(os.Stdin), color: isTerminal(os.Stdout),
		newNode: newRealNode, connect: realConnect, elector: newSaramaElector,
	}
	signals := make(chan os.Signal, 4)
	a.signals = func() (<-chan os.Signal, func()) {
		signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
		return signals, func() { signal.Stop(signals) }
	}
	os.Exit(a.main(context.Background(), os.Args[1:]))
}

// isTerminal tells a terminal by its being a character device; /dev/null is one, too, with nobody behind it.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// lookup finds a variable in environ, as os.LookupEnv does in the process's own.
func (a *app) lookup(name string) (string, bool) {
	value, found := "", false
	for _, kv := range a.environ {
		if len(kv) > len(name) && kv[len(name)] == '=' && kv[:len(name)] == name {
			value, found = kv[len(name)+1:], true
		}
	}
	return value, found
}
