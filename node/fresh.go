package node

import (
	"context"
	"sync"
	"time"
)

// fresh is a value that is read now and then. One caller reads; the others wait for the first
// read and go by what there is during later ones, and after a failure nobody tries for a
// while: with ZooKeeper away each client would wait for it in turn.
type fresh[T any] struct {
	good time.Duration // how long a value is
	// read returns false if it could not be read. One call at a time.
	read func(context.Context) (T, bool)

	mu       sync.Mutex
	value    T
	next     time.Time     // when it is read again; zero: it was never read, or has changed since
	outdated bool          // since the read under way has begun
	reading  chan struct{} // closed when that has ended; nil: none
}

// get returns the value, the zero value as long as it could not be read. It takes no longer
// than five seconds.
func (f *fresh[T]) get() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	if reading := f.reading; reading != nil && f.next.IsZero() {
		f.mu.Unlock()
		<-reading
		f.mu.Lock()
		return f.value
	}
	if f.reading != nil || time.Now().Before(f.next) {
		return f.value
	}
	f.reading, f.outdated = make(chan struct{}), false
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	v, ok := f.read(ctx)

	f.mu.Lock()
	close(f.reading)
	f.reading, f.next = nil, time.Now().Add(directoryAge)
	if ok {
		f.value, f.next = v, time.Now().Add(f.good)
	}
	if f.outdated {
		f.next = time.Time{}
	}
	return f.value
}

// outdate says that the value has changed: whoever wants it next has it read, or waits for that.
func (f *fresh[T]) outdate() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next, f.outdated = time.Time{}, true
}
