package sample

import (
	"bufio"
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/partition"
	"baton/wire"
)

const (
	// patience is how long a broker may take to answer for what it leads.
	patience = 5 * time.Second
	// perRequest is how many partitions a request asks for.
	perRequest = 1000
	// maxQueued is how many steps a broker may be behind.
	maxQueued = 5

	debugging int32 = -2 // a replica id that is answered up to the log's end
	latest    int64 = -1

	listOffsetsVersion int16 = 5 // of 2.3; the latest that 2.4 has
	epochEndVersion    int16 = 3 // of 2.3; before it only brokers may ask
)

// peer is one broker, asked by one goroutine at a time.
type peer struct {
	used uint64 // the round in which it was asked last

	mu    sync.Mutex
	queue []*batch
	busy  bool // a goroutine works on the queue

	// That goroutine's.
	addr   string
	conn   net.Conn
	in     *bufio.Reader
	number int32
}

var errNoListener = errors.New("it publishes no such listener")

// ask has each broker asked on a goroutine of its own. What one leads that is behind with its answers counts as failed.
func (s *Sampler) ask(ctx context.Context, some batches) {
	for id, b := range some {
		p := s.peers[id]
		if p == nil {
			p = &peer{}
			s.peers[id] = p
		}
		p.used = s.round
		p.mu.Lock()
		switch {
		case len(p.queue) == maxQueued:
			s.o.Metrics.Sampled(0, len(b.logs))
		case p.busy:
			p.queue = append(p.queue, b)
		default:
			p.queue, p.busy = append(p.queue, b), true
			s.wg.Go(func() { s.work(ctx, p) })
		}
		p.mu.Unlock()
	}
}

// work asks a broker until nothing is left to ask.
func (s *Sampler) work(ctx context.Context, p *peer) {
	for {
		p.mu.Lock()
		if len(p.queue) == 0 {
			p.busy = false
			p.mu.Unlock()
			return
		}
		b := p.queue[0]
		p.queue = slices.Delete(p.queue, 0, 1)
		p.mu.Unlock()
		s.askBroker(ctx, p, b)
	}
}

// dropPeers closes the connections to brokers that lead nothing any more.
func (s *Sampler) dropPeers(round uint64) {
	for id, p := range s.peers {
		p.mu.Lock()
		idle := !p.busy
		p.mu.Unlock()
		if p.used != round && idle {
			p.close()
			delete(s.peers, id)
		}
	}
}

func (s *Sampler) askBroker(ctx context.Context, p *peer, b *batch) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answered := 0
	for logs := range slices.Chunk(b.logs, perRequest) {
		asked := time.Now()
		resp, err := p.ask(ctx, s.o.Dial, b.addr, endsOf(logs))
		if err != nil {
			break
		}
		answered += s.takeEnds(logs, resp.(*kmsg.ListOffsetsResponse), asked)
		if logs = slices.DeleteFunc(logs, func(l leader) bool { return !l.asks }); len(logs) == 0 {
			continue
		}
		if resp, err = p.ask(ctx, s.o.Dial, b.addr, epochsOf(logs)); err != nil {
			break
		}
		s.takeEpochs(logs, resp.(*kmsg.OffsetForLeaderEpochResponse))
	}
	s.o.Metrics.Sampled(answered, len(b.logs)-answered)
}

// ask asks over the connection that is there, and over a new one if that one has ended since.
func (p *peer) ask(ctx context.Context, dial func(context.Context, string) (net.Conn, error), addr string, req kmsg.Request) (kmsg.Response, error) {
	if p.addr != addr {
		p.close()
	}
	if p.conn != nil {
		if resp, err := p.once(ctx, req); err == nil || ctx.Err() != nil {
			return resp, err
		}
	}
	if addr == "" {
		return nil, errNoListener
	}
	conn, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	p.addr, p.conn, p.in = addr, conn, bufio.NewReader(conn)
	return p.once(ctx, req)
}

func (p *peer) once(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	conn := p.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // it ends a read that a stuck broker holds up
	p.number++
	resp, err := wire.Ask(conn, p.in, "baton", p.number, req)
	if !stop() || err != nil {
		p.close()
	}
	return resp, err
}

func (p *peer) close() {
	if p.conn != nil {
		_ = p.conn.Close()
		p.conn = nil
	}
}

// byTopic groups partitions, which come one topic after the other.
func byTopic(logs []leader, do func(topic string, logs []leader)) {
	for len(logs) > 0 {
		n := slices.IndexFunc(logs, func(l leader) bool { return l.id.Topic != logs[0].id.Topic })
		if n < 0 {
			n = len(logs)
		}
		do(logs[0].id.Topic, logs[:n])
		logs = logs[n:]
	}
}

func endsOf(logs []leader) kmsg.Request {
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID = listOffsetsVersion, debugging
	byTopic(logs, func(topic string, logs []leader) {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for _, l := range logs {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.CurrentLeaderEpoch, p.Timestamp = l.id.Number, l.epoch, latest
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	})
	return req
}

func epochsOf(logs []leader) kmsg.Request {
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	req.Version, req.ReplicaID = epochEndVersion, debugging
	byTopic(logs, func(topic string, logs []leader) {
		t := kmsg.NewOffsetForLeaderEpochRequestTopic()
		t.Topic = topic
		for _, l := range logs {
			p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = l.id.Number, l.epoch, l.before
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	})
	return req
}

// index finds partitions of a request by what its answer says.
func index(logs []leader) map[partition.ID]leader {
	at := make(map[partition.ID]leader, len(logs))
	for _, l := range logs {
		at[l.id] = l
	}
	return at
}

func (s *Sampler) takeEnds(logs []leader, resp *kmsg.ListOffsetsResponse, asked time.Time) (answered int) {
	at := index(logs)
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			l, ok := at[partition.ID{Topic: t.Topic, Number: p.Partition}]
			if ok && p.ErrorCode == 0 && p.Offset >= 0 {
				s.book.sampled(l, p.Offset, asked)
				answered++
			}
		}
	}
	return answered
}

func (s *Sampler) takeEpochs(logs []leader, resp *kmsg.OffsetForLeaderEpochResponse) {
	at := index(logs)
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if l, ok := at[partition.ID{Topic: t.Topic, Number: p.Partition}]; ok && p.ErrorCode == 0 {
				s.book.learned(l, p.LeaderEpoch, p.EndOffset)
			}
		}
	}
}
