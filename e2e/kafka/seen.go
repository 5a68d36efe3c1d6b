package kafka

import (
	"slices"
	"time"
)

// ControlFrame is a LeaderAndIsr, StopReplica or UpdateMetadata that came to a TCPProxy.
type ControlFrame struct {
	At                time.Time
	Key               int16
	Controller, Epoch int32 // on whose behalf it was sent
}

// ControlFrames are the ones that have come so far, held ones included.
func (p *TCPProxy) ControlFrames() []ControlFrame {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

func (p *TCPProxy) note(frame []byte) {
	id, epoch, ok := ControllerOf(frame[4:])
	if p.idAt != 8 || !ok {
		return
	}
	key, _ := frameHead(frame[4:])
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, ControlFrame{time.Now(), key, id, epoch})
}
