//go:build !race

package coresim

const defaultSeeds = 2000
