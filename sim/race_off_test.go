//go:build !race

package sim

const (
	raceEnabled = false
	slower      = 1
)
