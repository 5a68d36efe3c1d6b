package sim

import (
	"flag"
	"testing"
	"testing/synctest"
)

var (
	one = flag.Uint64("seed", 0, "run this seed only, with its full trace")
)

func TestOne(t *testing.T) {
	seed := *one
	if seed == 0 {
		seed = 1
	}
	synctest.Test(t, func(t *testing.T) {
		r := Run(Config{Seed: seed, Full: true})
		if testing.Verbose() || r.Err != nil {
			t.Log(r.Trace)
		}
		if r.Err != nil {
			t.Error(r.Err)
		}
	})
}
