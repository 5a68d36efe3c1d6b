package node

import (
	"context"
	"slices"

	"baton/admin"
	"baton/measure"
	"baton/recovery"
)

// histories asks the measured replicas for the epochs of their logs, if the last ones differ: then an offset says nothing, and
// whoever has to choose wants to see where the logs part. wanted is what live was measured with.
func (n *Node) histories(ctx context.Context, wanted []measure.Wanted, live []recovery.Candidate) {
	measured := func(c recovery.Candidate) bool { return c.Log != nil }
	first := slices.IndexFunc(live, measured)
	if first < 0 || !slices.ContainsFunc(live, func(c recovery.Candidate) bool { return measured(c) && c.Log.Last != live[first].Log.Last }) {
		return
	}
	var asked []measure.Asked
	var of []*recovery.Candidate
	for i := range live {
		if c := &live[i]; c.Log != nil {
			asked = append(asked, measure.Asked{Addr: wanted[i].Addr, ID: wanted[i].Logs[0].ID, Log: *c.Log})
			of = append(of, c)
		}
	}
	for i, got := range (measure.Measurer{Dial: n.network.Dial, Timeout: measureWait}).Histories(ctx, asked) {
		of[i].History, of[i].Unread = got.History, got.Silent
	}
}

// tellHistory puts a candidate's history into its row, and where its log parts from the chosen one's.
func tellHistory(l *admin.MeasuredLog, live []recovery.Candidate, c recovery.Candidate, chosen int32) {
	for _, b := range c.History {
		l.Epochs = append(l.Epochs, admin.Began{Epoch: b.Epoch, From: b.Offset})
	}
	l.EpochsUnread = c.Unread
	if i := slices.IndexFunc(live, func(o recovery.Candidate) bool { return o.ID == chosen }); i >= 0 && chosen != c.ID {
		if at, known := recovery.Parts(c, live[i]); known {
			l.PartsAt = &at
		}
	}
}
