package server

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"baton/cluster"
	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
)

// The topics that brokers create for themselves.
const (
	offsetsTopic      = "__consumer_offsets"
	transactionsTopic = "__transaction_state"
)

func isInternal(name string) bool { return name == offsetsTopic || name == transactionsTopic }

// validTopic reports whether a name can be a topic's.
func validTopic(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > 249 {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// missingTopics creates topics that a client asked about, if create allows it, and
// returns the code to report for each.
func (r *request) missingTopics(ctx context.Context, names []string, create bool) ([]int16, error) {
	codes := make([]int16, len(names))
	// Timeout 0: brokers do not wait for leaders here either.
	call := planner.CreateTopics{Caller: r.caller(neverStrict)}
	var at []int
	for i, name := range names {
		switch {
		case !validTopic(name):
			codes[i] = kerr.InvalidTopicException.Code
		case !create:
			codes[i] = kerr.UnknownTopicOrPartition.Code
		default:
			call.Topics = append(call.Topics, r.newTopic(name))
			at = append(at, i)
		}
	}
	if len(call.Topics) == 0 {
		return codes, nil
	}
	reply, err := callAs[planner.CreateTopicsReply](ctx, r, call)
	if err != nil {
		// The role is gone, or not loaded yet: a broker can create it as well as we.
		return nil, fmt.Errorf("%w: %w", errProxy, err)
	}
	for n, i := range at {
		code := kerr.UnknownServerError.Code
		if n < len(reply.Topics) {
			code = codeOf(reply.Topics[n].Err)
		}
		switch code {
		case 0, kerr.TopicAlreadyExists.Code, kerr.RequestTimedOut.Code:
			code = kerr.LeaderNotAvailable.Code
		case kerr.NotController.Code:
			return nil, errProxy
		}
		codes[i] = code
	}
	return codes, nil
}

// newTopic is how a broker would create a topic by itself.
func (r *request) newTopic(name string) planner.NewTopic {
	t := planner.NewTopic{Name: name, Partitions: -1, Factor: -1}
	t.ID, t.Seed = freshID(), freshSeed()
	add := func(key, value string) { t.Configs = append(t.Configs, planner.TopicConfig{Name: key, Value: &value}) }
	switch name {
	case offsetsTopic:
		c := r.cfg.Offsets()
		t.Partitions, t.Factor = c.Partitions, c.Factor
		add("cleanup.policy", "compact")
		add("compression.type", "producer")
		add("segment.bytes", strconv.Itoa(int(c.SegmentBytes)))
	case transactionsTopic:
		c := r.cfg.Transactions()
		t.Partitions, t.Factor = c.Partitions, c.Factor
		add("cleanup.policy", "compact")
		add("compression.type", "uncompressed")
		add("min.insync.replicas", strconv.Itoa(int(c.MinISR)))
		add("segment.bytes", strconv.Itoa(int(c.SegmentBytes)))
		add("unclean.leader.election.enable", "false")
	}
	return t
}

// freshID returns a random (v4) UUID whose text does not start with a dash: command
// line tools would take it for an option.
func freshID() cluster.TopicID {
	for {
		var id cluster.TopicID
		_, _ = rand.Read(id[:]) // never fails: it ends the process instead
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		if id.String()[0] != '-' {
			return id
		}
	}
}

func freshSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

func codeOf(e *kerr.Error) int16 {
	if e == nil {
		return 0
	}
	return e.Code
}

var errReply = errors.New("the controller answered something else")

// callTimed makes a call that has a time-out of its own, and turns the role's loss and a
// wait in vain into the code that holds for every topic of it. The planner answers
// REQUEST_TIMED_OUT at the client's time-out; the bound here is behind that and holds only
// while a claim is being loaded.
func callTimed[T planner.ReplyBody](ctx context.Context, r *request, body planner.CallBody, timeout planner.Millis) (reply T, failed *kerr.Error, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout+time.Duration(min(max(timeout, 0), 600_000))*time.Millisecond)
	defer cancel()
	answer, err := r.ctl.Call(ctx, body)
	switch {
	case errors.Is(err, ErrNotActive):
		return reply, kerr.NotController, nil
	case errors.Is(err, context.DeadlineExceeded):
		return reply, kerr.RequestTimedOut, nil
	case err != nil:
		return reply, nil, err
	}
	reply, ok := answer.(T)
	if !ok {
		return reply, nil, fmt.Errorf("%w: %T", errReply, answer)
	}
	return reply, nil, nil
}

// callAs calls the controller and waits no longer than a peer would.
func callAs[T planner.ReplyBody](ctx context.Context, r *request, body planner.CallBody) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
	defer cancel()
	var zero T
	reply, err := r.ctl.Call(ctx, body)
	if err != nil {
		return zero, err
	}
	t, ok := reply.(T)
	if !ok {
		return zero, fmt.Errorf("%w: %T", errReply, reply)
	}
	return t, nil
}
