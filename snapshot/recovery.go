package snapshot

import (
	"time"

	"baton/planner"
	"baton/recovery"
)

// FromStaticTopic is a setting that the Baton's own configuration has for the topic.
const FromStaticTopic Origin = "static, for the topic"

// TopicStrategy is the strategy of a topic, or of those that match a pattern.
type TopicStrategy struct {
	Topic    string `json:"topic"`
	Strategy string `json:"strategy"`
}

// Rescue is what unclean.recovery.strategy does about a partition that nobody leads.
type Rescue struct {
	// Until is when members of the ISR have had their time to come back; absent: they get none.
	Until time.Time `json:"waitsUntil,omitzero"`
	// Measured are the live replicas as they were last, at At; empty: not yet.
	Measured []MeasuredReplica `json:"measured,omitempty"`
	At       time.Time         `json:"measuredAt,omitzero"`
	Why      string            `json:"why,omitempty"` // there is no leader yet
}

// MeasuredReplica is what a live replica's log holds, or why that is not known. The last record's leader epoch is between the two.
type MeasuredReplica struct {
	Broker   int32  `json:"broker"`
	Silent   string `json:"silent,omitempty"`
	Start    int64  `json:"logStart"`
	End      int64  `json:"logEnd"`
	EpochMin int32  `json:"lastEpochMin"`
	EpochMax int32  `json:"lastEpochMax"`
}

// setPolicy writes a policy down that is not Kafka's.
func (s *Static) setPolicy(p recovery.Policy) {
	if p.Default != "" && p.Default != recovery.None {
		s.Recovery, s.RecoveryWaitMS = string(p.Default), p.WaitMS
	}
	for _, r := range p.Topics {
		s.RecoveryTopics, s.RecoveryWaitMS = append(s.RecoveryTopics, TopicStrategy{r.Topic, string(r.Strategy)}), p.WaitMS
	}
}

// policy is the way back.
func (s *Static) policy() recovery.Policy {
	p := recovery.Policy{Default: recovery.Strategy(s.Recovery), WaitMS: s.RecoveryWaitMS}
	for _, t := range s.RecoveryTopics {
		p.Topics = append(p.Topics, recovery.Rule{Topic: t.Topic, Strategy: recovery.Strategy(t.Strategy)})
	}
	return p
}

// strategy is what goes for a topic when an ISR is lost, by the planner's rule; nil: what unclean.leader.election.enable says.
// quiet: the topic's configuration was read, and does not say that itself.
func (s *Static) strategy(topic string, quiet bool) *Setting[string] {
	strategy, rule := s.policy().For(topic)
	switch {
	case strategy == recovery.None:
		return nil
	case rule != "":
		return &Setting[string]{Value: string(strategy), From: FromStaticTopic}
	case !quiet:
		return nil // the topic's own word goes before the cluster's strategy
	}
	return &Setting[string]{Value: string(strategy), From: FromStatic}
}

func makeRescue(r planner.RescueMemory, at func(planner.Millis) time.Time) *Rescue {
	out := &Rescue{Why: r.Why}
	if r.Until > 0 {
		out.Until = at(r.Until)
	}
	if len(r.Live) > 0 {
		out.At = at(r.At)
	}
	for _, c := range r.Live {
		m := MeasuredReplica{Broker: c.ID, Silent: c.Silent}
		if c.Log != nil {
			m.Start, m.End, m.EpochMin, m.EpochMax = c.Log.Start, c.Log.End, c.Log.Last.Min, c.Log.Last.Max
		}
		out.Measured = append(out.Measured, m)
	}
	return out
}
