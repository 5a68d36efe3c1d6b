//go:build race

package sim

const (
	raceEnabled = true
	slower      = 10 // by about as much the race detector slows a run down
)
