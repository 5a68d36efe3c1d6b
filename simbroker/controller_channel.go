package simbroker

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"baton/wire"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	ms = time.Millisecond

	keyAlterPartition = wire.AlterPartition

	controllerLookup = 100 * ms // between two looks into the metadata cache
	controllerPause  = 50 * ms  // after a failure
)

// versionsOf picks the version of a request: our own or the controller's highest. false:
// the controller does not speak it.
type versionsOf func(key, ours int16) (int16, bool)

// controllerCall is one request to whoever is the controller.
type controllerCall struct {
	build func(versionsOf) (kmsg.Request, bool)
	// moved: the answer says that somebody else is the controller now.
	moved func(kmsg.Response) bool
	done  func(kmsg.Response) // on the loop
}

// controllerChannel sends requests to the controller, one at a time, and repeats each
// until it is answered (NodeToControllerChannelManager, 3.0-3.9). Brokers have two: one
// for AlterPartition, one for the rest.
//
// The controller is found in the metadata cache only: its id, the live list, the
// inter-broker listener. Once found it is kept until a failure or NOT_CONTROLLER.
type controllerChannel struct {
	p     *process
	calls chan controllerCall

	conn     net.Conn
	versions map[int16]kmsg.ApiVersionsResponseApiKey
	seq      int32
}

func newControllerChannel(p *process) *controllerChannel {
	// Each user has one request at a time, so the loop never waits here.
	return &controllerChannel{p: p, calls: make(chan controllerCall, 1)}
}

// send is called on the loop.
func (c *controllerChannel) send(call controllerCall) { c.calls <- call }

func (c *controllerChannel) run() {
	defer c.forget()
	for {
		select {
		case call := <-c.calls:
			if !c.deliver(call) {
				return
			}
		case <-c.p.ctx.Done():
			return
		}
	}
}

// deliver returns false when the process has ended.
func (c *controllerChannel) deliver(call controllerCall) bool {
	for {
		if c.conn == nil && !c.find() {
			return false
		}
		resp, err := c.try(call)
		if err == nil && !call.moved(resp) {
			return c.p.post(func() { call.done(resp) })
		}
		if err == nil {
			err = kerr.NotController
		}
		c.p.logf("controller: %v", err)
		c.forget()
		if !c.p.sleep(controllerPause) {
			return false
		}
	}
}

func (c *controllerChannel) forget() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// find waits until the metadata cache knows the controller and it takes a connection.
func (c *controllerChannel) find() bool {
	for {
		addr, ok := ask(c.p, c.p.controllerAddr)
		if !ok {
			return false
		}
		if addr != "" {
			err := c.connect(addr)
			if err == nil {
				return true
			}
			c.p.logf("controller at %s: %v", addr, err)
			c.forget()
		}
		if !c.p.sleep(controllerLookup) {
			return false
		}
	}
}

// controllerAddr resolves id → live broker → inter-broker listener (10.5, 3.0-3.9).
func (p *process) controllerAddr() string {
	return p.cache.address(p.cache.controller, p.opts.InterBroker)
}

// connect asks for ApiVersions first: v4, and v3 if that is refused [observed 3.9.1].
func (c *controllerChannel) connect(addr string) (err error) {
	if c.conn, err = c.p.dial(addr); err != nil {
		c.conn = nil
		return err
	}
	for _, v := range []int16{4, 3} {
		req := kmsg.NewPtrApiVersionsRequest()
		req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = v, "apache-kafka-java", "3.9.1"
		resp, err := c.exchange(req)
		if err != nil {
			return err
		}
		av := resp.(*kmsg.ApiVersionsResponse)
		if av.ErrorCode == kerr.UnsupportedVersion.Code {
			continue
		}
		c.versions = map[int16]kmsg.ApiVersionsResponseApiKey{}
		for _, k := range av.ApiKeys {
			c.versions[k.ApiKey] = k
		}
		return nil
	}
	return errors.New("no common version of ApiVersions")
}

func (c *controllerChannel) try(call controllerCall) (kmsg.Response, error) {
	req, ok := call.build(func(key, ours int16) (int16, bool) {
		k, ok := c.versions[key]
		return min(ours, k.MaxVersion), ok && k.MinVersion <= ours
	})
	if !ok {
		return nil, fmt.Errorf("the controller does not speak %s", kmsg.NameForKey(req.Key()))
	}
	return c.exchange(req)
}

func (c *controllerChannel) exchange(req kmsg.Request) (kmsg.Response, error) {
	c.seq++
	return c.p.exchange(c.conn, c.seq, req, c.p.opts.RequestTimeout)
}

// exchange sends one request and reads its answer.
func (p *process) exchange(conn net.Conn, seq int32, req kmsg.Request, timeout time.Duration) (kmsg.Response, error) {
	client := strconv.Itoa(int(p.opts.ID))
	frame, err := wire.AppendRequest(nil, &client, seq, req)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(frame); err != nil {
		return nil, err
	}
	in, err := wire.ReadFrame(conn, nil, wire.MaxFrame)
	if err != nil {
		return nil, err
	}
	key, version := req.Key(), req.GetVersion()
	id, body, err := wire.ParseResponseHeader(in, key, version)
	if err != nil {
		return nil, err
	}
	if id != seq {
		return nil, fmt.Errorf("answer %d to request %d", id, seq)
	}
	// A refused ApiVersions is answered in v0, whose error code comes first in all.
	if key == wire.ApiVersions && len(body) >= 2 && int16(uint16(body[0])<<8|uint16(body[1])) == kerr.UnsupportedVersion.Code {
		version = 0
	}
	return wire.DecodeResponse(key, version, body)
}
