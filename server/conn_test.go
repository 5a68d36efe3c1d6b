package server_test

import (
	"context"
	"net"
	"testing"
	"time"

	"baton/planner"
	"baton/server"
	"baton/server/servertest"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestMalformedInputClosesOnlyItsConnection(t *testing.T) {
	r := newRig(t, 1, nil)
	good := r.dial(t)
	for name, raw := range map[string]string{
		"negative length":          "\xff\xff\xff\xff",
		"length beyond the bound":  "\x7f\xff\xff\xff",
		"shorter than a header":    "\x00\x00\x00\x04\x00\x12\x00\x00",
		"unknown key":              "\x00\x00\x00\x0a\x7f\x00\x00\x00\x00\x00\x00\x01\xff\xff",
		"KRaft's Vote":             "\x00\x00\x00\x0b\x00\x34\x00\x00\x00\x00\x00\x01\xff\xff\x00",
		"version that is too high": "\x00\x00\x00\x0a\x00\x03\x00\x63\x00\x00\x00\x01\xff\xff",
		"negative version":         "\x00\x00\x00\x0a\x00\x03\xff\xff\x00\x00\x00\x01\xff\xff",
		"client id beyond the end": "\x00\x00\x00\x0a\x00\x03\x00\x00\x00\x00\x00\x01\x00\x7f",
		"array beyond the end":     "\x00\x00\x00\x0e\x00\x03\x00\x01\x00\x00\x00\x01\xff\xff\x7f\xff\xff\xff",
		"four billion tags":        "\x00\x00\x00\x10\x00\x3c\x00\x00\x00\x00\x00\x01\xff\xff\x00\x00\xff\xff\xff\xff\x0f",
		"ControlledShutdown v0":    "\x00\x00\x00\x0c\x00\x07\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01",
		"SASL, which is not here":  "\x00\x00\x00\x0a\x00\x11\x00\x01\x00\x00\x00\x01\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			p := r.dial(t)
			if _, err := p.nc.Write([]byte(raw)); err != nil {
				t.Fatal(err)
			}
			p.closed()
		})
	}
	ask[*kmsg.ListGroupsResponse](good, kmsg.NewPtrListGroupsRequest())
}

func TestConnectionLimitLeavesThoseThatAreThere(t *testing.T) {
	r := newRig(t, 0, func(c *server.Config) { c.MaxConnections = 1 })
	first := r.dial(t)
	ask[*kmsg.ListGroupsResponse](first, kmsg.NewPtrListGroupsRequest())
	r.dial(t).closed()
	ask[*kmsg.ListGroupsResponse](first, kmsg.NewPtrListGroupsRequest())
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	r := newRig(t, 0, func(c *server.Config) { c.IdleTimeout = 20 * time.Millisecond })
	r.dial(t).closed()
}

func TestRequestsInOnePacketAreAnsweredInOrder(t *testing.T) {
	r := newRig(t, 1, nil)
	p := r.dial(t)
	for range 5 {
		p.send(kmsg.NewPtrListGroupsRequest())
		p.send(metadataAll(4))
		p.send(kmsg.NewPtrDescribeACLsRequest()) // passed on
	}
	for want := int32(1); want <= 15; want++ {
		if got := p.readCorrelation(); got != want {
			t.Fatalf("answer %d, want %d", got, want)
		}
	}
}

func TestListenersThatCannotBeBoundAreAllReleased(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	s := server.New(server.Config{ID: 1, Listeners: []server.Listener{
		{Name: "A", Bind: "127.0.0.1:0"}, {Name: "B", Bind: taken.Addr().String()},
	}}, servertest.NewController(servertest.ViewFor(servertest.Empty)), servertest.Brokers(nil))
	if err := s.Listen(); err == nil {
		t.Fatal("bound a port that is taken")
	}
	if a := s.Addr("A"); a != nil {
		t.Fatalf("listener A is still bound to %v", a)
	}
}

func metadataAll(version int16) *kmsg.MetadataRequest {
	m := kmsg.NewPtrMetadataRequest()
	m.Version = version
	if version == 0 {
		m.Topics = []kmsg.MetadataRequestTopic{}
	}
	return m
}

func TestPanicInAHandlerEndsOnlyItsConnection(t *testing.T) {
	r := newRig(t, 0, nil)
	good := r.dial(t)
	r.ctl.Answer = func(context.Context, planner.CallBody) (planner.ReplyBody, error) { panic("planted") }
	p := r.dial(t)
	p.send(kmsg.NewPtrAlterPartitionRequest())
	p.closed()
	ask[*kmsg.ListGroupsResponse](good, kmsg.NewPtrListGroupsRequest())
}
