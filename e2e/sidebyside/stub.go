package main

import (
	"bufio"
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
// once. When the last byte of a request came is noted; what it says is looked into later, when nobody is being timed.
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
}

// frame is a request of a controller.
type frame struct {
	at  time.Time
	key int16
	req kmsg.Request // nil until it is looked into
	ver int16
	raw []byte
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
		raw, err := wire.ReadFrame(in, nil, wire.MaxFrame)
		if err != nil {
			return err
		}
		at := time.Now()
		h, body, err := wire.ParseRequestHeader(raw)
		if err != nil {
			return err
		}
		f := frame{at: at, key: h.Key, ver: h.Version, raw: body}
		answer, err := f.answer()
		if err != nil {
			return err
		}
		if h.Key != wire.ApiVersions {
			s.mu.Lock()
			s.frames, s.bytes, s.last = append(s.frames, f), s.bytes+int64(len(raw)), at
			s.mu.Unlock()
		}
		if _, err := c.Write(wire.AppendResponse(nil, h.CorrelationID, answer)); err != nil {
			return err
		}
	}
}

// answer decodes what has to be answered partition by partition, and no more.
func (f *frame) answer() (kmsg.Response, error) {
	switch f.key {
	case wire.ApiVersions:
		r := kmsg.NewPtrApiVersionsResponse()
		r.Version = f.ver
		for key, most := range map[int16]int16{wire.LeaderAndIsr: 7, wire.StopReplica: 4, wire.UpdateMetadata: 8, wire.ApiVersions: 3} {
			r.ApiKeys = append(r.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: key, MaxVersion: most})
		}
		return r, nil
	case wire.UpdateMetadata:
		r := kmsg.NewPtrUpdateMetadataResponse()
		r.Version = f.ver
		return r, nil
	}
	if err := f.decode(); err != nil {
		return nil, err
	}
	switch req := f.req.(type) {
	case *kmsg.LeaderAndISRRequest:
		r := kmsg.NewPtrLeaderAndISRResponse()
		r.Version = f.ver
		for i := range req.TopicStates {
			t := &req.TopicStates[i]
			out := kmsg.LeaderAndISRResponseTopic{TopicID: t.TopicID}
			for j := range t.PartitionStates {
				out.Partitions = append(out.Partitions, kmsg.LeaderAndISRResponseTopicPartition{Partition: t.PartitionStates[j].Partition})
			}
			r.Topics = append(r.Topics, out)
		}
		return r, nil
	case *kmsg.StopReplicaRequest:
		r := kmsg.NewPtrStopReplicaResponse()
		r.Version = f.ver
		for i := range req.Topics {
			t := &req.Topics[i]
			for j := range t.PartitionStates {
				r.Partitions = append(r.Partitions, kmsg.StopReplicaResponsePartition{Topic: t.Topic, Partition: t.PartitionStates[j].Partition})
			}
		}
		return r, nil
	}
	return nil, fmt.Errorf("request %s, which no controller sends", kmsg.NameForKey(f.key))
}

func (f *frame) decode() (err error) {
	if f.req == nil {
		f.req, err = wire.DecodeRequest(f.key, f.ver, f.raw)
		f.raw = nil
	}
	return err
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
