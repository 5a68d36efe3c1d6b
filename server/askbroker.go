package server

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"baton/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// anyOrder returns the live brokers of a listener in an order of chance, which comes from
// the clock so that a run in fake time can be repeated.
func (s *Server) anyOrder(listener string) []Endpoint {
	all := slices.Clone(s.brokers.Endpoints(listener))
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// askBroker sends a request of Baton's own, which only reads, to live brokers one after the
// other until one has answered or ctx is done. question makes the request for a broker.
func (r *request) askBroker(ctx context.Context, question func(broker int32) kmsg.Request) (resp kmsg.Response, err error) {
	err = fmt.Errorf("no live broker has listener %s", r.listener)
	for n, e := range r.anyOrder(r.listener) {
		if e.ID == r.cfg.ID || n > maxTries {
			continue
		}
		if ctx.Err() != nil {
			return nil, err
		}
		if resp, err = r.askOne(ctx, e, question(e.ID)); err == nil {
			return resp, nil
		}
	}
	return nil, err
}

func (r *request) askOne(ctx context.Context, e Endpoint, req kmsg.Request) (kmsg.Response, error) {
	fail := func(err error) (kmsg.Response, error) { return nil, fmt.Errorf("broker %d: %w", e.ID, err) }
	name, correlation := "baton", int32(1)
	frame, err := wire.AppendRequest(nil, &name, correlation, req)
	if err != nil {
		return fail(err)
	}
	nc, err := r.cfg.Dial(ctx, r.listener, e.Addr)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = nc.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	defer stop()
	if _, err := nc.Write(frame); err != nil {
		return fail(err)
	}
	answer, err := wire.ReadFrame(bufio.NewReader(nc), nil, r.cfg.MaxFrame)
	if err != nil {
		return fail(err)
	}
	got, body, err := wire.ParseResponseHeader(answer, req.Key(), req.GetVersion())
	if err != nil {
		return fail(err)
	}
	if got != correlation {
		return fail(fmt.Errorf("answer %d to request %d", got, correlation))
	}
	resp, err := wire.DecodeResponse(req.Key(), req.GetVersion(), body)
	if err != nil {
		return fail(err)
	}
	return resp, nil
}
