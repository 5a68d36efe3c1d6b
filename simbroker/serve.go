package simbroker

import (
	"fmt"
	"net"

	"baton/wire"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// request is where a request came from.
type request struct {
	wire.RequestHeader
	listener string
}

// api is one request that is served, with the versions of Kafka 3.9. handle runs on the
// loop and calls reply once, now or later; nil is no answer.
type api struct {
	key, min, max int16
	handle        func(p *process, r *request, req kmsg.Request, reply func(kmsg.Response))
}

// now makes an api that answers at once.
func now[Req kmsg.Request](key, first, last int16, f func(p *process, r *request, req Req) kmsg.Response) api {
	return api{key, first, last, func(p *process, r *request, req kmsg.Request, reply func(kmsg.Response)) {
		reply(f(p, r, req.(Req)))
	}}
}

// later makes an api that may answer some time.
func later[Req kmsg.Request](key, first, last int16, f func(p *process, r *request, req Req, reply func(kmsg.Response))) api {
	return api{key, first, last, func(p *process, r *request, req kmsg.Request, reply func(kmsg.Response)) {
		f(p, r, req.(Req), reply)
	}}
}

const (
	keyProduce             int16 = 0
	keyFetch               int16 = 1
	keyListOffsets         int16 = 2
	keyOffsetForEpoch      int16 = 23
	keyDescribeConfigs     int16 = 32
	batchesOfFormat2Fetch  int16 = 4
	batchesOfFormat2Append int16 = 3
)

// apis is sorted by key.
func apis() []api {
	return []api{
		later(keyProduce, batchesOfFormat2Append, 11, produce),
		later(keyFetch, batchesOfFormat2Fetch, 17, fetch),
		now(keyListOffsets, 1, 9, listOffsets),
		now(wire.Metadata, 0, 12, metadata),
		now(wire.LeaderAndIsr, 0, 7, leaderAndISR),
		now(wire.StopReplica, 0, 4, stopReplica),
		now(wire.UpdateMetadata, 0, 8, updateMetadata),
		now(wire.FindCoordinator, 0, 6, findCoordinator),
		now(wire.ApiVersions, 0, 4, apiVersions),
		now(wire.InitProducerID, 0, 5, initProducerID),
		now(keyOffsetForEpoch, 2, 4, offsetForLeaderEpoch),
		now(keyDescribeConfigs, 0, 4, describeConfigs),
		now(wire.DescribeCluster, 0, 1, describeCluster),
		now(wire.AllocateProducerIDs, 0, 0, allocateProducerIDs),
	}
}

// served is filled once; a handler refers to it to say what is served.
var served map[int16]api

func init() {
	served = map[int16]api{}
	for _, a := range apis() {
		served[a.key] = a
	}
}

// listen opens the listeners; a port that was picked is kept for the next life. accept begins to take connections.
func (p *process) listen() (accept func(), err error) {
	var open []net.Listener
	for i := range p.opts.Listeners {
		l := &p.opts.Listeners[i]
		ln, err := p.opts.Network.Listen(l.Addr)
		if err != nil {
			return nil, err
		}
		l.Addr = ln.Addr().String()
		open = append(open, ln)
		p.spawn(func() {
			<-p.ctx.Done()
			_ = ln.Close()
		})
	}
	return func() {
		for i, ln := range open {
			p.spawn(func() { p.accept(ln, p.opts.Listeners[i].Name) })
		}
	}, nil
}

func (p *process) accept(ln net.Listener, listener string) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		g := p.guard(c)
		p.spawn(func() { p.serve(g, listener) })
	}
}

// serve answers one connection's requests, one after the other as Kafka does. What the
// broker does not understand ends the connection (10.1).
func (p *process) serve(c net.Conn, listener string) {
	defer c.Close()
	for {
		frame, err := wire.ReadFrame(c, nil, wire.MaxFrame)
		if err != nil {
			return
		}
		h, body, err := wire.ParseRequestHeader(frame)
		a, ok := served[h.Key]
		if !ok {
			p.logf("request %d from a %s client is not served", h.Key, listener)
			return
		}
		resp := kmsg.Response(nil)
		switch {
		case h.Key == wire.ApiVersions && h.Version > a.max:
			resp = unsupportedApiVersions()
		case err != nil || h.Version < a.min || h.Version > a.max:
			return
		default:
			req, err := decode(h, body)
			if err != nil {
				p.logf("%v", err)
				return
			}
			if resp, ok = p.handle(a, &request{h, listener}, req); !ok {
				return
			}
		}
		if resp == nil {
			continue
		}
		if _, err := c.Write(wire.AppendResponse(nil, h.CorrelationID, resp)); err != nil {
			return
		}
	}
}

// handle runs a request on the loop and waits for its answer.
func (p *process) handle(a api, r *request, req kmsg.Request) (kmsg.Response, bool) {
	out := make(chan kmsg.Response, 1)
	if !p.post(func() { a.handle(p, r, req, func(resp kmsg.Response) { out <- resp }) }) {
		return nil, false
	}
	select {
	case resp := <-out:
		return resp, true
	case <-p.ctx.Done():
		return nil, false
	}
}

// decode reads a request. wire knows the layouts of what Baton speaks; for the rest the
// peer is trusted, because simulated brokers have only friends.
func decode(h wire.RequestHeader, body []byte) (req kmsg.Request, err error) {
	if _, ok := wire.ServedRange(h.Key); ok {
		return wire.DecodeRequest(h.Key, h.Version, body)
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("key %d v%d: %v", h.Key, h.Version, r)
		}
	}()
	req = kmsg.RequestForKey(h.Key)
	req.SetVersion(h.Version)
	return req, req.ReadFrom(body)
}

// respond returns an empty response of the request's kind and version.
func respond[Resp kmsg.Response](req kmsg.Request) Resp {
	resp := req.ResponseKind().(Resp)
	resp.SetVersion(req.GetVersion())
	return resp
}

func code(e *kerr.Error) int16 {
	if e == nil {
		return 0
	}
	return e.Code
}
