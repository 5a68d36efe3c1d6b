package quota

import (
	"maps"
	"math"
)

const (
	// forgotten is after how long a bucket is dropped that nobody has charged: an hour, as by brokers.
	forgotten = 3_600_000
	// minPrune is how many buckets are kept without a look at them.
	minPrune = 64
	// maxWait is the longest wait that an answer can say, in milliseconds.
	maxWait = math.MaxInt32
)

// bucket is what is left to whom a limit is for: it fills by the rate and holds a window of it.
// It may be less than nothing, as a charge is never split.
type bucket struct {
	owner Client // who was charged last, of those who share it: whose limit it is
	left  float64
	at    int64
}

func seconds(millis int64) float64 { return float64(millis) / 1000 }

func (b *bucket) refill(now, window int64, rate float64) {
	b.left = min(rate*seconds(window), b.left+rate*seconds(now-b.at))
	b.at = now
}

// wait is how long it takes to owe nothing, which at a rate of 0 is for ever.
func (b *bucket) wait(rate float64) int64 {
	if rate <= 0 {
		return maxWait
	}
	return int64(min(maxWait, math.Round(-b.left/rate*1000)))
}

// prune drops buckets that are as good as new ones, once there are twice as many as were left
// the last time. The others stand for partitions that were paid for within the hour.
func (l *Limiter) prune(now, window int64) {
	if len(l.buckets) < l.pruneAt {
		return
	}
	maps.DeleteFunc(l.buckets, func(owner Client, b *bucket) bool {
		rate, owes, ok := l.limit(b.owner)
		if !ok || owes != owner || now-b.at >= forgotten {
			return true
		}
		return b.left+rate*seconds(now-b.at) >= rate*seconds(window)
	})
	l.pruneAt = max(minPrune, 2*len(l.buckets))
}
