package simbroker

import (
	"maps"
	"slices"

	"baton/partition"
)

// Known is what a broker knows of a partition.
type Known struct {
	Leader, LeaderEpoch int32
	ISR                 []int32 // of the metadata cache, or committed as a leader
	// Role is what the process does with its replica: "", "leads" or "follows".
	Role string
}

// Knowledge is what a broker has been told and does.
type Knowledge struct {
	Controller int32 // as it tells clients, -1 for none
	Live       []int32
	Cache      map[partition.ID]Known // of UpdateMetadata
	Replicas   map[partition.ID]Known // of LeaderAndIsr: those hosted here
	Logs       []partition.ID         // on directories that work, in no order
}

// Knowledge copies what the broker knows; ok is false if it does not run.
func (b *Broker) Knowledge() (k Knowledge, ok bool) {
	p, err := b.running()
	if err != nil {
		return Knowledge{}, false
	}
	return ask(p, func() Knowledge {
		m := Knowledge{Controller: p.cache.controller, Cache: map[partition.ID]Known{}, Replicas: map[partition.ID]Known{}}
		for id := range p.cache.live {
			m.Live = append(m.Live, id)
		}
		slices.Sort(m.Live)
		for id, ps := range p.cache.parts {
			m.Cache[id] = Known{Leader: ps.Leader, LeaderEpoch: ps.LeaderEpoch, ISR: slices.Clone(ps.ISR)}
		}
		for id, r := range p.parts {
			k := Known{Leader: r.leader, LeaderEpoch: r.leaderEpoch}
			switch r.role {
			case leading:
				k.Role, k.ISR = "leads", slices.Clone(r.isr)
			case following:
				k.Role = "follows"
			}
			m.Replicas[id] = k
		}
		for _, dir := range p.opts.Disk.dirs {
			if !dir.failed {
				m.Logs = slices.AppendSeq(m.Logs, maps.Keys(dir.logs))
			}
		}
		return m
	})
}
