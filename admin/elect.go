package admin

import (
	"context"
	"net/http"
)

// Paths of the elections that name their replica.
const (
	PathMeasure = "/api/v1/measure"
	PathElect   = "/api/v1/elect"
)

// Elector is the part of a Node that elects replicas by name.
type Elector interface {
	// Measure asks the live replicas of a leaderless partition what they have, and says whom it would choose. It changes nothing.
	Measure(ctx context.Context, q Question) (Measurement, error)
	// Elect makes the chosen replica the leader if what it was chosen by has not changed, else it is refused.
	Elect(ctx context.Context, c Choice, req Request) (Elected, error)
}

// Question names a partition and the candidate that is wanted.
type Question struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Candidate string `json:"candidate"` // longest, first or a broker's id
}

// Choice is a replica that is to lead, and what it was chosen by.
type Choice struct {
	Topic          string `json:"topic"`
	Partition      int32  `json:"partition"`
	Unclean        bool   `json:"unclean"` // from outside the ISR; otherwise one of it
	Leader         int32  `json:"leader"`
	PartitionEpoch int32  `json:"partitionEpoch"`
	// Live are the epochs (czxids) of the live replicas by id; of an unclean choice only.
	Live map[int32]int64 `json:"live,omitempty"`
}

// Measurement is what the replicas of a partition have.
type Measurement struct {
	Topic          string     `json:"topic"`
	Partition      int32      `json:"partition"`
	LeaderEpoch    int32      `json:"leaderEpoch"`
	PartitionEpoch int32      `json:"partitionEpoch"`
	ISR            []int32    `json:"isr"`
	Replicas       []Measured `json:"replicas"` // in preference order
	Leader         int32      `json:"chosen"`   // -1: nobody can lead
	// Doubts are why loss has to be accepted before the chosen one leads.
	Doubts []string `json:"doubts"`
	TookMS int64    `json:"tookMs"`
}

// Measured is one replica.
type Measured struct {
	Broker int32 `json:"broker"`
	InISR  bool  `json:"inIsr"`
	Epoch  int64 `json:"brokerEpoch,omitempty"` // czxid of its registration; absent: not live
	// Silent says why a live replica's log is not known. Log is absent then, and for those that are not live.
	Silent string       `json:"silent,omitempty"`
	Log    *MeasuredLog `json:"log,omitempty"`
}

// MeasuredLog is what a replica has, and what is lost if it leads.
type MeasuredLog struct {
	Start int64 `json:"logStart"`
	End   int64 `json:"logEnd"`
	// The last record's leader epoch lies between these; -1: there never was a record.
	EpochMin int32 `json:"lastEpochMin"`
	EpochMax int32 `json:"lastEpochMax"`
	// Offsets that are lost at least, and at most where that is known; both absent if there is nothing to compare with.
	LossMin *int64 `json:"lossMin,omitempty"`
	LossMax *int64 `json:"lossMax,omitempty"`
	From    string `json:"lossComparedWith,omitempty"`
	// Epochs are the newest of the log, oldest first, each with its first offset: where the last epochs of the replicas differ.
	Epochs       []Began `json:"epochs,omitempty"`
	EpochsUnread string  `json:"epochsUnread,omitempty"` // why they are not known
	// PartsAt is the offset up to which the log is the chosen one's.
	PartsAt *int64 `json:"partsAt,omitempty"`
}

// Began is where an epoch begins in a log.
type Began struct {
	Epoch int32 `json:"epoch"`
	From  int64 `json:"from"`
}

// Choice is what Elect is to be asked for.
func (m *Measurement) Choice() Choice {
	c := Choice{Topic: m.Topic, Partition: m.Partition, Unclean: true, Leader: m.Leader, PartitionEpoch: m.PartitionEpoch, Live: map[int32]int64{}}
	for _, r := range m.Replicas {
		if r.Epoch != 0 {
			c.Live[r.Broker] = r.Epoch
		}
	}
	return c
}

// Elected is what came of an election.
type Elected struct {
	Leader int32 `json:"leader"`
	// NotNeeded: it leads already.
	NotNeeded bool `json:"notNeeded,omitempty"`
}

func (s *Server) measure(w http.ResponseWriter, r *http.Request) {
	s.command(w, r, "measure", func(ctx context.Context, b body, _ func(string)) (any, error) {
		if b.Question == nil {
			return nil, Usage("the body names no partition")
		}
		return s.node.Measure(ctx, *b.Question)
	})
}

func (s *Server) elect(w http.ResponseWriter, r *http.Request) {
	s.command(w, r, "elect", func(ctx context.Context, b body, _ func(string)) (any, error) {
		if b.Choice == nil {
			return nil, Usage("the body names no partition")
		}
		return s.node.Elect(ctx, *b.Choice, b.Request)
	})
}

// Measure runs the command.
func (c *Client) Measure(ctx context.Context, q Question, req Request) (Measurement, error) {
	var out Measurement
	err := c.command(ctx, PathMeasure, body{Request: req, Question: &q}, nil, &out)
	return out, err
}

// Elect runs the command.
func (c *Client) Elect(ctx context.Context, choice Choice, req Request) (Elected, error) {
	var out Elected
	err := c.command(ctx, PathElect, body{Request: req, Choice: &choice}, nil, &out)
	return out, err
}
