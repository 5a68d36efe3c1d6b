package main

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-zookeeper/zk"
)

// state is what a partition's znode says.
type state struct {
	Version         int     `json:"version"`
	Leader          int32   `json:"leader"`
	LeaderEpoch     int32   `json:"leader_epoch"`
	ISR             []int32 `json:"isr"`
	ControllerEpoch int32   `json:"controller_epoch"`
}

func (s state) json() []byte {
	return fmt.Appendf(nil, `{"controller_epoch":%d,"leader":%d,"version":1,"leader_epoch":%d,"isr":[%s]}`, s.ControllerEpoch, s.Leader, s.LeaderEpoch, ids(s.ISR))
}

func ids(of []int32) string {
	var b strings.Builder
	for i, id := range of {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(int(id)))
	}
	return b.String()
}

func topicPath(topic string) string { return "/brokers/topics/" + topic }

func statePath(topic string, number int) string {
	return topicPath(topic) + "/partitions/" + strconv.Itoa(number) + "/state"
}

// topicID is an id that follows from a number, so that all contenders get the same.
func topicID(n int) (id [16]byte) {
	binary.BigEndian.PutUint64(id[:], 0xba70)
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// assignment is the content of the n-th topic's znode in a span; its id follows from its first partition.
func (l *layout) assignment(s span, n int) []byte {
	first := s.from + n*s.per
	parts := make([]string, s.per)
	for p := range parts {
		parts[p] = fmt.Sprintf(`"%d":[%s]`, p, ids(l.replicas(first+p)))
	}
	id := topicID(first)
	return fmt.Appendf(nil, `{"removing_replicas":{},"partitions":{%s},"topic_id":"%s","adding_replicas":{},"version":3}`, strings.Join(parts, ","),
		base64.RawURLEncoding.EncodeToString(id[:]))
}

const (
	batch = 500 // operations of a multi
	width = 4   // multis under way
)

// inBatches sends operations that are made when they are due, in multis.
func inBatches(ctx context.Context, conn *zk.Conn, n int, op func(i int) []any) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, width)
	for range width {
		wg.Go(func() {
			for ctx.Err() == nil {
				from := int(next.Add(batch)) - batch
				if from >= n {
					return
				}
				var ops []any
				for i := from; i < min(from+batch, n); i++ {
					ops = append(ops, op(i)...)
				}
				if _, err := conn.Multi(ops...); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return errors.Join(<-errs, ctx.Err())
}

var open = zk.WorldACL(zk.PermAll)

func create(path string, data []byte) *zk.CreateRequest {
	return &zk.CreateRequest{Path: path, Data: data, Acl: open}
}

func createParents(conn *zk.Conn) error {
	for _, path := range []string{"/brokers", "/brokers/ids", "/brokers/topics"} {
		if _, err := conn.Create(path, nil, 0, open); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// seed writes the topics before anybody is there to control them.
func (l *layout) seed(ctx context.Context, conn *zk.Conn) error {
	base := l.spans[0]
	err := inBatches(ctx, conn, base.topics, func(t int) []any {
		path := topicPath(base.topic(t))
		return []any{create(path, l.assignment(base, t)), create(path+"/partitions", nil)}
	})
	if err != nil {
		return fmt.Errorf("topics: %w", err)
	}
	err = inBatches(ctx, conn, l.partitions, func(i int) []any {
		path := statePath(l.spot(i))
		return []any{create(strings.TrimSuffix(path, "/state"), nil), create(path, l.initial(i, 0).json())}
	})
	if err != nil {
		return fmt.Errorf("states: %w", err)
	}
	return nil
}

// initial is a partition's state in the n-th beginning: all replicas in sync, the first one leads.
func (l *layout) initial(i int, n int32) state {
	r := l.replicas(i)
	return state{Leader: r[0], LeaderEpoch: 100 * n, ISR: r}
}

// reset writes all states anew, as a beginning says.
func (l *layout) reset(ctx context.Context, conn *zk.Conn, of func(i int) state) error {
	return inBatches(ctx, conn, l.partitions, func(i int) []any {
		return []any{&zk.SetDataRequest{Path: statePath(l.spot(i)), Data: of(i).json(), Version: -1}}
	})
}

// states reads the state of every partition.
func (l *layout) states(ctx context.Context, conn *zk.Conn) ([]state, error) {
	out := make([]state, l.total())
	var next atomic.Int64
	var wg sync.WaitGroup
	const readers = 64
	errs := make(chan error, readers)
	for range readers {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(out) {
					return
				}
				path := statePath(l.spot(i))
				data, _, err := conn.Get(path)
				if err == nil {
					err = json.Unmarshal(data, &out[i])
				}
				if err != nil {
					errs <- fmt.Errorf("%s: %w", path, err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return out, errors.Join(<-errs, ctx.Err())
}
