package stories

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/e2e/kafka"
	"baton/measure"
	"baton/partition"
	"baton/recovery"
)

// TestReplicasAreMeasuredAboveTheHighWatermark asks one real broker, whose role of controller is ours, for what its replicas have
// above the high watermark: as a leader, as a follower, without a leader, and after a restart before it is told whom to
// follow. docs/measuring.md has what each release answered.
func TestReplicasAreMeasuredAboveTheHighWatermark(t *testing.T) {
	kafka.RequireJava(t)
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	c := kafka.Start(t, kafka.Options{Brokers: 1})
	takeController(t, c)
	m := &measured{T: t, ctx: ctx, b: c.Broker(1), modern: kafka.AtLeast(c.Version(), 3, 0), diverging: kafka.AtLeast(c.Version(), 2, 7)}
	m.um(1, 2, 3, 9)
	m.write()
	m.look("leader")
	for p := range len(m.logs()) {
		m.lai(p, 9, 20, 20)
	}
	m.look("follower of a leader that does not answer")
	for p := range len(m.logs()) {
		m.lai(p, -1, 21, 21)
	}
	m.look("no leader")
	if err := m.b.Kill(); err != nil {
		t.Fatal(err)
	}
	m.killed = true
	if err := m.b.WaitGone(ctx); err != nil {
		t.Fatal(err)
	}
	if err := m.b.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	m.raw("restarted, told nothing")
	m.um(1, 2, 3, 9)
	for p := range len(m.logs()) {
		m.lai(p, []int32{-1, 77}[p%2], []int32{21, 3}[p%2], 21)
	}
	m.look("restarted, no leader (even), an unknown one of an old epoch (odd)")
	m.lai(0, 1, 21, 21)
	m.lai(1, 1, 21, 21)
	m.look("0 and 1 lead in that epoch")
}

// measured is the broker, and what its logs hold.
type measured struct {
	*testing.T
	ctx               context.Context
	b                 *kafka.Broker
	modern, diverging bool
	at                int64
	before            string // what it answered last
	killed            bool   // it may have forgotten where logs begin: that is written down every minute
}

// held is one log: its start, its end, and the epoch of its last record, -1 if there is none.
type held struct {
	what       string
	start, end int64
	epoch      int32
}

func (m *measured) do(req kmsg.Request) kmsg.Response {
	m.Helper()
	resp, err := kafka.Ask(m.ctx, m.b.Addr(), req)
	if err != nil {
		m.Fatalf("%s v%d: %v", kmsg.NameForKey(req.Key()), req.GetVersion(), err)
	}
	return resp
}

func (m *measured) control(s controlStep) {
	m.Helper()
	epoch, err := m.b.Epoch()
	if err != nil {
		m.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		got := codes(m.do(s.make(epoch)))
		if strings.HasPrefix(got, "0 ") {
			m.Logf("%s: %s", s.name, got)
			return
		}
		if time.Now().After(end) {
			m.Fatalf("%s: %s", s.name, got)
		}
	}
}

func (m *measured) um(live ...int32) {
	m.Helper()
	options := []option{alive(live...), noID("m"), inVersion(6)} // brokers serve no topic that is not in their cache
	for range m.logs() {
		options = append(options, cached(-1))
	}
	m.control(um("live list", options...))
}

// lai tells of a partition; the ISR is 1, 2, 3, or 1 alone.
func (m *measured) lai(p int, leader, epoch, version int32, isr ...int32) {
	m.Helper()
	m.control(lai(fmt.Sprintf("%d: leader %d epoch %d", p, leader, epoch), noID("m"), leads(leader, epoch, version), number(int32(p)),
		last(func(ps *kmsg.LeaderAndISRRequestTopicPartition) {
			if len(isr) > 0 {
				ps.ISR = isr
			}
		}), inVersion(4)))
}

// produce writes one batch of n records with rising timestamps from at on.
func (m *measured) produce(p, n int, at int64) {
	m.Helper()
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 7, 1, 5000
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: "m", Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: int32(p), Records: recordBatch(n, at)}}}}
	r := m.do(req).(*kmsg.ProduceResponse)
	if code := r.Topics[0].Partitions[0].ErrorCode; code != 0 {
		m.Fatalf("produce to %d: %d", p, code)
	}
}

// mark writes a transaction marker, which is a batch of control records.
func (m *measured) mark(p int) {
	m.Helper()
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	req.Version = 0
	req.Markers = []kmsg.WriteTxnMarkersRequestMarker{{ProducerID: 5000, ProducerEpoch: 0, Committed: true,
		Topics: []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: "m", Partitions: []int32{int32(p)}}}}}
	ctx, cancel := context.WithTimeout(m.ctx, time.Second)
	defer cancel()
	_, _ = kafka.Ask(ctx, m.b.Addr(), req) // answered when it is committed, which it never is here
}

func (m *measured) deleteRecords(p int, before int64) {
	m.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Version, req.TimeoutMillis = 1, 100
	req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "m", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: int32(p), Offset: before}}}}
	r := m.do(req).(*kmsg.DeleteRecordsResponse)
	if code := r.Topics[0].Partitions[0].ErrorCode; code != 0 && code != kerr.RequestTimedOut.Code { // the other replicas never say that they have
		m.Fatalf("delete records of %d: %d", p, code)
	}
}

// logs are what write makes.
func (m *measured) logs() []held {
	return []held{
		{"three epochs", 0, 11, 7},
		{"the greatest timestamp is an old one's", 0, 8, 5},
		{"ends with a marker", 0, 4, 6},
		{"empty", 0, 0, -1},
		{"begins at 3", 3, 7, 6},
		{"all deleted", 5, 5, -1},
		{"an epoch without records", 0, 5, 2},
		{"one batch of equal timestamps", 0, 6, 4},
	}
}

// write fills the logs.
func (m *measured) write() {
	now := time.Now().UnixMilli() - 60_000
	lead := func(p int, epoch int32, isr ...int32) { m.lai(p, 1, epoch, epoch, isr...) }
	lead(0, 2)
	m.produce(0, 5, now)
	lead(0, 4)
	m.produce(0, 3, now+10)
	m.produce(0, 2, now+20)
	lead(0, 7)
	m.produce(0, 1, now+30)

	lead(1, 2)
	m.produce(1, 4, now+30_000)
	lead(1, 5)
	m.produce(1, 4, now)

	lead(2, 2)
	m.produce(2, 3, now)
	lead(2, 6)
	m.mark(2)

	lead(3, 3)

	lead(4, 2, 1)
	m.produce(4, 2, now)
	m.produce(4, 2, now+5)
	m.deleteRecords(4, 3)
	lead(4, 6)
	m.produce(4, 3, now+10)

	lead(5, 2, 1)
	m.produce(5, 5, now)
	m.deleteRecords(5, 5)

	lead(6, 2)
	m.produce(6, 5, now)
	lead(6, 9)

	lead(7, 4)
	m.produce(7, -6, now)
	m.at = now
}

// offsets asks every partition with replica id -2 for one timestamp.
func (m *measured) offsets(timestamp int64, replica int32) []kmsg.ListOffsetsResponseTopicPartition {
	m.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID = 5, replica
	if timestamp == -3 {
		req.Version = 7
	}
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = "m"
	for p := range m.logs() {
		ps := kmsg.NewListOffsetsRequestTopicPartition()
		ps.Partition, ps.Timestamp, ps.CurrentLeaderEpoch = int32(p), timestamp, -1
		topic.Partitions = append(topic.Partitions, ps)
	}
	req.Topics = []kmsg.ListOffsetsRequestTopic{topic}
	return m.do(req).(*kmsg.ListOffsetsResponse).Topics[0].Partitions
}

// fetch reads from an offset.
func (m *measured) fetch(p int, offset int64, replica int32, version int16) kmsg.FetchResponseTopicPartition {
	m.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.ReplicaID, req.MaxBytes, req.SessionEpoch = version, replica, 1<<20, -1
	ps := kmsg.NewFetchRequestTopicPartition()
	ps.Partition, ps.FetchOffset, ps.PartitionMaxBytes, ps.CurrentLeaderEpoch, ps.LogStartOffset = int32(p), offset, 1, -1, -1
	if version >= 12 {
		ps.LastFetchedEpoch = 5
	}
	req.Topics = []kmsg.FetchRequestTopic{{Topic: "m", Partitions: []kmsg.FetchRequestTopicPartition{ps}}}
	r := m.do(req).(*kmsg.FetchResponse)
	if len(r.Topics) == 0 {
		return kmsg.FetchResponseTopicPartition{ErrorCode: r.ErrorCode}
	}
	return r.Topics[0].Partitions[0]
}

// lastEpochOf is the leader epoch in the header of the last whole batch, -1 if there is none.
func lastEpochOf(raw []byte) (epoch int32, base int64) {
	epoch, base = -1, -1
	for len(raw) >= 61 {
		size := int(binary.BigEndian.Uint32(raw[8:])) + 12
		if size > len(raw) {
			break
		}
		base, epoch, raw = int64(binary.BigEndian.Uint64(raw)), int32(binary.BigEndian.Uint32(raw[12:])), raw[size:]
	}
	return epoch, base
}

func (m *measured) raw(when string) {
	m.Helper()
	m.Logf("%s: latest %d, fetch %d", when, m.offsets(-1, -2)[0].ErrorCode, m.fetch(0, 0, -3, 10).ErrorCode)
	for p, got := range m.measure() {
		if got.Silent == "" {
			m.Errorf("%s: %d is measured: %+v", when, p, got.Log)
		}
	}
}

// look asks for everything and compares it with what was written.
func (m *measured) look(when string) {
	m.Helper()
	var out strings.Builder
	show := func(name string, answers []kmsg.ListOffsetsResponseTopicPartition) {
		fmt.Fprintf(&out, "\n  %-22s", name)
		for _, a := range answers {
			fmt.Fprintf(&out, " | %d: err %d off %d ts %d ep %d", a.Partition, a.ErrorCode, a.Offset, max(a.Timestamp-m.at, -1), a.LeaderEpoch)
		}
	}
	latest, earliest := m.offsets(-1, -2), m.offsets(-2, -2)
	show("latest", latest)
	show("latest, consumer", m.offsets(-1, -1))
	show("earliest", earliest)
	show("time 5 ms", m.offsets(m.at+5, -2))
	show("time 20 ms", m.offsets(m.at+20, -2))
	show("time 10 s", m.offsets(m.at+10_000, -2))
	if m.modern {
		show("greatest", m.offsets(-3, -2))
	}
	logs := m.logs()
	for p := range logs {
		if w := &logs[p]; m.killed && w.start > 0 && earliest[p].Offset < w.start {
			if w.start == w.end {
				w.epoch = 2 // its records are back
			}
			w.start = earliest[p].Offset
		}
	}
	for p, w := range logs {
		if latest[p].Offset != w.end || earliest[p].Offset != w.start {
			m.Errorf("%s: %d (%s): from %d to %d, want %d to %d", when, p, w.what, earliest[p].Offset, latest[p].Offset, w.start, w.end)
		}
		from := max(w.end-1, 0)
		debug, f := m.fetch(p, from, -2, 10), m.fetch(p, from, -3, 10)
		epoch, base := lastEpochOf(f.RecordBatches)
		dEpoch, _ := lastEpochOf(debug.RecordBatches)
		fmt.Fprintf(&out, "\n  fetch %d (%s) at %d: replica -3: err %d hw %d bytes %d base %d epoch %d; replica -2: err %d epoch %d", p, w.what, from,
			f.ErrorCode, f.HighWatermark, len(f.RecordBatches), base, epoch, debug.ErrorCode, dEpoch)
		if epoch != w.epoch {
			m.Errorf("%s: %d (%s): last epoch %d, want %d", when, p, w.what, epoch, w.epoch)
		}
		if m.diverging {
			d := m.fetch(p, from, -3, 12)
			fmt.Fprintf(&out, "; after epoch 5: err %d diverging %d/%d", d.ErrorCode, d.DivergingEpoch.Epoch, d.DivergingEpoch.EndOffset)
		}
	}
	for p, got := range m.measure() {
		w := logs[p]
		want := recovery.Log{Start: w.start, End: w.end, Last: recovery.Exactly(w.epoch)}
		if w.start == w.end && w.end > 0 && got.Log != nil {
			want.Last = recovery.Epochs{Min: got.Log.Last.Min, Max: maxEpoch} // no record is left to say it
		}
		if got.Log == nil || *got.Log != want {
			m.Errorf("%s: %d (%s): measured %+v %s, want %+v", when, p, w.what, got.Log, got.Silent, want)
		}
	}
	if out.String() == m.before {
		m.Logf("%s: the same", when)
		return
	}
	m.before = out.String()
	m.Logf("%s:%s", when, m.before)
}

// maxEpoch is above all that is led in here.
const maxEpoch = 30

// measure asks as the controller does.
func (m *measured) measure() []measure.Measured {
	w := measure.Wanted{Broker: 1, Addr: m.b.Addr()}
	for p := range m.logs() {
		w.Logs = append(w.Logs, measure.Partition{ID: partition.ID{Topic: "m", Number: int32(p)}, Epoch: maxEpoch})
	}
	return measure.Measurer{Dial: dialTCP, Timeout: 20 * time.Second}.Measure(m.ctx, []measure.Wanted{w})[0]
}

func dialTCP(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr)
}

// recordBatch is n records a millisecond apart; -n of one timestamp.
func recordBatch(n int, at int64) []byte {
	step := int64(1)
	if n < 0 {
		n, step = -n, 0
	}
	var records []byte
	for i := range n {
		r := kmsg.Record{TimestampDelta64: int64(i) * step, OffsetDelta: int32(i), Value: []byte("v")}
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		records = r.AppendTo(records)
	}
	b := kmsg.RecordBatch{PartitionLeaderEpoch: -1, Magic: 2, LastOffsetDelta: int32(n - 1), FirstTimestamp: at, MaxTimestamp: at + int64(n-1)*step,
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(n), Records: records}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}
