package sample

import "time"

const (
	// watched is how many times as long as nothing is known of a log it has to have been looked at, for its pace to say anything.
	watched = 3

	// spell is how long the pace of a log is one figure for, at least, and spells is how many of these are kept: watched times as
	// long as the time-out of a session of 40 s and a round of samples. Short ones, as what was written before a log was idle
	// counts for a whole one.
	spell  = 15 * time.Second
	spells = 10
)

// pace is how fast a log has grown between samples of one leader that followed on each other, the newest spell first.
type pace [spells]struct {
	fastest float32 // records a second, between any two of them
	seconds float32 // from the first of them to the last
}

// grew takes in the time between two samples.
func (p *pace) grew(records int64, in time.Duration) {
	if p[0].seconds >= float32(spell.Seconds()) {
		copy(p[1:], p[:])
		p[0].fastest, p[0].seconds = 0, 0
	}
	p[0].fastest = max(p[0].fastest, float32(float64(records)/in.Seconds()))
	p[0].seconds += float32(in.Seconds())
}

// over is the fastest, in records a second, of the newest spells that are as long as nothing was known for, watched times over;
// and how long they are. ok is false if all are not.
func (p *pace) over(gap time.Duration) (fastest, seconds float64, ok bool) {
	for _, s := range p {
		fastest, seconds = max(fastest, float64(s.fastest)), seconds+float64(s.seconds)
		if seconds >= watched*gap.Seconds() {
			return fastest, seconds, true
		}
	}
	return 0, 0, false
}
