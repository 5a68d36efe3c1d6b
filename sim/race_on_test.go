//go:build race

package sim

const slower = 10 // by about as much the race detector slows a run down
