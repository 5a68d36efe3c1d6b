package zkstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"baton/cluster"
	"baton/epoch"

	"github.com/go-zookeeper/zk"
)

// RegisterBroker puts Baton into /brokers/ids, ephemeral and under the fence: brokers up
// to 2.8 find the controller there when they shut down. The key `baton`, which Kafka
// ignores, tells every Baton whose it is. What an earlier session of a Baton has left
// under the id is replaced; a broker's is not.
func (s *Session) RegisterBroker(ctx context.Context, fence epoch.Fence, b cluster.Broker, info BatonInfo) error {
	path, data := idPath(pathBrokerIDs, b.ID), encodeRegistration(b, info, time.Now())
	for {
		n, err := s.get(ctx, path)
		if err != nil {
			return fmt.Errorf("registering as a broker: %w", err)
		}
		ops := []any{s.opCreate(path, data, zk.FlagEphemeral)}
		switch {
		case n.exists && n.stat.EphemeralOwner == s.ID():
			return nil // made by us, and only the reply was lost
		case n.exists && !isBatons(n.data):
			return fmt.Errorf("registering as a broker: %s is somebody else's: %s", path, excerpt(n.data))
		case n.exists:
			ops = []any{s.opDelete(path, n.stat.Version), ops[0]}
		}
		err = s.fenced(ctx, "registering as a broker", fence, ops...)
		switch c := classify(err); {
		case errors.Is(err, epoch.ErrFenced):
			return err
		case errors.Is(err, errUnclear), c == classNoNode, c == classBadVersion, c == classNodeExists:
			// Somebody moved, or the outcome is unknown: look again.
			if err := s.waitConnected(ctx); err != nil {
				return fmt.Errorf("registering as a broker: %w", err)
			}
			continue
		}
		return err
	}
}

// UnregisterBroker removes what RegisterBroker has made in this session, if it is there.
// It needs no fence: nobody else makes or removes a znode of ours.
func (s *Session) UnregisterBroker(ctx context.Context, id int32) error {
	path := idPath(pathBrokerIDs, id)
	n, err := s.get(ctx, path)
	if err == nil && n.exists && n.stat.EphemeralOwner == s.ID() {
		err = s.remove(ctx, path)
	}
	if err != nil {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	return nil
}

// encodeRegistration writes version 4, which every broker since 2.3 reads.
func encodeRegistration(b cluster.Broker, info BatonInfo, now time.Time) []byte {
	r := struct {
		Version   int               `json:"version"`
		Host      string            `json:"host"`
		Port      int32             `json:"port"`
		JMXPort   int               `json:"jmx_port"`
		Timestamp string            `json:"timestamp"`
		Endpoints []string          `json:"endpoints"`
		Protocols map[string]string `json:"listener_security_protocol_map"`
		Rack      *string           `json:"rack,omitempty"`
		Baton     BatonInfo         `json:"baton"`
	}{Version: 4, Port: -1, JMXPort: -1, Timestamp: strconv.FormatInt(now.UnixMilli(), 10), Endpoints: []string{}, Protocols: map[string]string{}, Baton: info}
	for _, e := range b.Endpoints {
		r.Endpoints = append(r.Endpoints, e.Listener+"://"+net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))))
		for name, p := range protocols {
			if p == e.Protocol {
				r.Protocols[e.Listener] = name
			}
		}
		if r.Port < 0 && e.Protocol == cluster.Plaintext {
			r.Host, r.Port = e.Host, e.Port // as brokers do: where clients of old look
		}
	}
	if b.HasRack {
		r.Rack = &b.Rack
	}
	return mustJSON(r)
}

// isBatons reports whether a registration is a Baton's.
func isBatons(data []byte) bool {
	o, err := parseObject(data)
	if err != nil {
		return false
	}
	_, ok := o["baton"]
	return ok
}
