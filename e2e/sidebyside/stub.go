package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/wire"
)

// stub is a broker that does nothing but what a controller sees: it is registered, and answers what it is told with success, at
// once. When the first and the last byte of a request came is noted; what it says is looked into later, when nobody is being timed.
type stub struct {
	id       int32
	servers  []string
	listener net.Listener
	session  *zk.Conn
	epoch    int64 // of the registration

	mu     sync.Mutex
	frames []frame
	bytes  int64
	last   time.Time
	err    error // the first request that it could not answer
}

// frame is a request of a controller: the newest version that it may have, or it would have been refused.
type frame struct {
	begun time.Time // when its first bytes came
	at    time.Time // when its last one came
	key   int16
	body  []byte
}

func newStub(id int32, servers []string) (*stub, error) {
	s := &stub{id: id, servers: servers}
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	go s.accept()
	return s, nil
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// register begins a session and a life of the broker.
func (s *stub) register() error {
	conn, _, err := zk.Connect(s.servers, 30*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		return err
	}
	addr := s.listener.Addr().(*net.TCPAddr)
	data := fmt.Appendf(nil, `{"listener_security_protocol_map":{"INTERNAL":"PLAINTEXT"},"endpoints":["INTERNAL://127.0.0.1:%d"],"jmx_port":-1,`+
		`"features":{},"host":null,"timestamp":"%d","port":-1,"version":5}`, addr.Port, time.Now().UnixMilli())
	path := fmt.Sprint("/brokers/ids/", s.id)
	if _, err := conn.Create(path, data, zk.FlagEphemeral, open); err != nil {
		conn.Close()
		return err
	}
	_, stat, err := conn.Exists(path)
	if err != nil {
		conn.Close()
		return err
	}
	s.session, s.epoch = conn, stat.Czxid
	return nil
}

// leave ends the session in order, as a broker that stops does.
func (s *stub) leave() { s.session.Close() }

func (s *stub) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		go func() { _ = s.serve(c) }()
	}
}

func (s *stub) serve(c net.Conn) error {
	defer func() { _ = c.Close() }()
	in := bufio.NewReaderSize(c, 1<<20)
	for {
		if _, err := in.Peek(1); err != nil {
			return err
		}
		begun := time.Now()
		raw, err := wire.ReadFrame(in, nil, wire.MaxFrame)
		if err != nil {
			return err
		}
		at := time.Now()
		h, body, err := wire.ParseRequestHeader(raw)
		if err != nil {
			return err
		}
		answer, err := answerTo(h, body)
		if err != nil {
			s.fail(fmt.Errorf("%s v%d: %w", kmsg.NameForKey(h.Key), h.Version, err))
			return err
		}
		if answer == nil {
			return nil
		}
		if h.Key == wire.LeaderAndIsr || h.Key == wire.UpdateMetadata {
			s.mu.Lock()
			s.frames = append(s.frames, frame{begun, at, h.Key, body})
			s.mu.Unlock()
		}
		if h.Key != listOffsets {
			s.mu.Lock()
			s.bytes, s.last = s.bytes+int64(len(raw)), at
			s.mu.Unlock()
		}
		if _, err := c.Write(answer); err != nil {
			return err
		}
	}
}

// fail keeps the first request that could not be answered: who waits for the stub is told of it.
func (s *stub) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = fmt.Errorf("stub %d: %w", s.id, err)
	}
}

// answerTo is the frame that answers a request with success.
func answerTo(h wire.RequestHeader, body []byte) ([]byte, error) {
	versions := map[int16]int16{wire.LeaderAndIsr: leaderAndISRVersion, wire.UpdateMetadata: updateMetadataVersion, wire.StopReplica: stopReplicaVersion}
	if want, ok := versions[h.Key]; ok && h.Version != want && h.Key != wire.StopReplica {
		return nil, fmt.Errorf("expected version %d", want)
	}
	switch h.Key {
	case wire.ApiVersions:
		r := kmsg.NewPtrApiVersionsResponse()
		r.Version = h.Version
		for key, most := range versions {
			r.ApiKeys = append(r.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: key, MaxVersion: most})
		}
		r.ApiKeys = append(r.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: wire.ApiVersions, MaxVersion: 3})
		return wire.AppendResponse(nil, h.CorrelationID, r), nil
	case wire.LeaderAndIsr:
		answer, err := welcome(body)
		if err != nil {
			return nil, err
		}
		return framed(h.CorrelationID, answer), nil
	case wire.UpdateMetadata:
		return framed(h.CorrelationID, []byte{0, 0, 0}), nil // no error, no tagged fields
	case wire.StopReplica:
		req, err := wire.DecodeRequest(h.Key, h.Version, body)
		if err != nil {
			return nil, err
		}
		r := kmsg.NewPtrStopReplicaResponse()
		r.Version = h.Version
		topics := req.(*kmsg.StopReplicaRequest).Topics
		for i := range topics {
			for j := range topics[i].PartitionStates {
				r.Partitions = append(r.Partitions,
					kmsg.StopReplicaResponsePartition{Topic: topics[i].Topic, Partition: topics[i].PartitionStates[j].Partition})
			}
		}
		return wire.AppendResponse(nil, h.CorrelationID, r), nil
	}
	// Baton asks leaders now and then where their logs end; other questions go unanswered.
	if h.Key != listOffsets {
		return nil, nil
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version = h.Version
	if err := req.ReadFrom(body); err != nil {
		return nil, err
	}
	r := kmsg.NewPtrListOffsetsResponse()
	r.Version = h.Version
	for _, t := range req.Topics {
		topic := kmsg.ListOffsetsResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			one := kmsg.NewListOffsetsResponseTopicPartition()
			one.Partition, one.Offset = p.Partition, 0
			topic.Partitions = append(topic.Partitions, one)
		}
		r.Topics = append(r.Topics, topic)
	}
	return wire.AppendResponse(nil, h.CorrelationID, r), nil
}

const listOffsets = 2

// framed puts the length and a flexible response header before a body.
func framed(correlation int32, body []byte) []byte {
	out := binary.BigEndian.AppendUint32(make([]byte, 0, 9+len(body)), uint32(5+len(body)))
	out = append(binary.BigEndian.AppendUint32(out, uint32(correlation)), 0)
	return append(out, body...)
}

// take hands out what has come since the last time.
func (s *stub) take() []frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.frames
	s.frames = nil
	return out
}

func (s *stub) close() error {
	if s.session != nil {
		s.session.Close()
	}
	return errors.Join(s.listener.Close())
}
