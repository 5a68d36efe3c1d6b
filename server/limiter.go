package server

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// limiter lets one warning a second through: what strangers send must not be able to
// fill the disk. How many were left out is said with the next.
type limiter struct {
	mu     sync.Mutex
	next   time.Time
	missed int
}

func (l *limiter) warn(log *zap.Logger, msg string, fields ...zap.Field) {
	l.mu.Lock()
	now := time.Now()
	if now.Before(l.next) {
		l.missed++
		l.mu.Unlock()
		return
	}
	missed := l.missed
	l.next, l.missed = now.Add(time.Second), 0
	l.mu.Unlock()
	if missed > 0 {
		fields = append(fields, zap.Int("suppressed", missed))
	}
	log.Warn(msg, fields...)
}

// gauge is a number that goes up and down.
type gauge struct{ n atomic.Int64 }

// add returns the new value.
func (g *gauge) add(d int) int { return int(g.n.Add(int64(d))) }
