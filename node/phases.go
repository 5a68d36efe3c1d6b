package node

import (
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"baton/controller"
	"baton/epoch"
	"baton/planner"
)

// Timed implements controller.Observer: one line in the log, a series for each phase, an entry of the journal.
func (o *observer) Timed(f epoch.Fence, p controller.Phases) {
	fields := []zap.Field{zap.String("trigger", string(p.Trigger)), zap.Int("writes", p.Writes), zap.Int("requests", p.Requests)}
	text := []string{fmt.Sprintf("%s: %d writes, %d requests", p.Trigger, p.Writes, p.Requests)}
	for _, ph := range []struct {
		name string
		took time.Duration
	}{{"read", p.Read}, {"decide", p.Decide}, {"write", p.Write}, {"first_told", p.FirstTold}, {"last_told", p.LastTold}} {
		if ph.took == 0 {
			continue
		}
		o.node.metrics.Timed(string(p.Trigger), ph.name, ph.took)
		fields = append(fields, zap.Duration(ph.name, ph.took))
		text = append(text, fmt.Sprintf("%s %v", ph.name, ph.took.Round(100*time.Microsecond)))
	}
	o.node.log.Info("timed", fields...)
	o.node.journal.Note(int32(f.Epoch), planner.Note{Kind: "timed", Text: strings.Join(text, ", ")})
}
