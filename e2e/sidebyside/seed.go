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

func statePath(topic string, number int) string {
	return "/brokers/topics/" + topic + "/partitions/" + strconv.Itoa(number) + "/state"
}

// topicID is an id that follows from a number, so that both contenders get the same.
func topicID(n int) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:], 0xba70)
	binary.BigEndian.PutUint64(raw[8:], uint64(n))
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// assignment is the content of a topic's znode, of partitions from first on.
func (l *layout) assignment(id, first, n int) []byte {
	parts := make([]string, n)
	for p := range parts {
		parts[p] = fmt.Sprintf(`"%d":[%s]`, p, ids(l.replicas(first+p)))
	}
	return fmt.Appendf(nil, `{"removing_replicas":{},"partitions":{%s},"topic_id":"%s","adding_replicas":{},"version":3}`, strings.Join(parts, ","), topicID(id))
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

// seed writes the topics before anybody is there to control them.
func (l *layout) seed(ctx context.Context, conn *zk.Conn) error {
	for _, path := range []string{"/brokers", "/brokers/ids", "/brokers/topics"} {
		if _, err := conn.Create(path, nil, 0, open); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	topics := l.partitions / perTopic
	err := inBatches(ctx, conn, topics, func(t int) []any {
		path := "/brokers/topics/" + topicName(t)
		return []any{create(path, l.assignment(t, t*perTopic, perTopic)), create(path+"/partitions", nil)}
	})
	if err != nil {
		return fmt.Errorf("topics: %w", err)
	}
	err = inBatches(ctx, conn, l.partitions, func(i int) []any {
		path := statePath(topicName(i/perTopic), i%perTopic)
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
		return []any{&zk.SetDataRequest{Path: statePath(topicName(i/perTopic), i%perTopic), Data: of(i).json(), Version: -1}}
	})
}

// outcome reads all states.
func (l *layout) outcome(ctx context.Context, conn *zk.Conn, paths []string) ([]state, error) {
	out := make([]state, len(paths))
	var next atomic.Int64
	var wg sync.WaitGroup
	const readers = 64
	errs := make(chan error, readers)
	for range readers {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(paths) {
					return
				}
				data, _, err := conn.Get(paths[i])
				if err == nil {
					err = json.Unmarshal(data, &out[i])
				}
				if err != nil {
					errs <- fmt.Errorf("%s: %w", paths[i], err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return out, errors.Join(<-errs, ctx.Err())
}
