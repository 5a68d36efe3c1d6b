//go:build race

package coresim

// The race detector costs a factor of ten; the simulation has no goroutines anyway.
const defaultSeeds = 100
