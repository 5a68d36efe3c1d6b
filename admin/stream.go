package admin

import (
	"encoding/json"
	"sync"
)

// stream writes lines and flushes each, so that whoever waits sees it at once. A Node may report progress from any
// goroutine, even after its method has returned: lines after the last one are dropped.
type stream struct {
	mu    sync.Mutex
	enc   *json.Encoder
	flush func() error
	done  bool
}

func (s *stream) write(l Line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return
	}
	s.done = l.Done
	// A client that went away does not stop the command; there is nobody to tell.
	_ = s.enc.Encode(l)
	_ = s.flush()
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
