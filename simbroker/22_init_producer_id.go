package simbroker

import (
	"baton/wire"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// producerIDs is the block that the controller gave (08.5), and the next one, which is
// asked for when nine tenths are used up.
type producerIDs struct {
	next, end int64 // end is the first id beyond
	after     *idBlock
	asking    bool
	prefetch  int64
}

type idBlock struct{ start, end int64 }

// InitProducerId, v0-5. Without a block: COORDINATOR_LOAD_IN_PROGRESS (3.3+), and the
// client asks again. Transactions are not built.
func initProducerID(p *process, _ *request, req *kmsg.InitProducerIDRequest) kmsg.Response {
	resp := respond[*kmsg.InitProducerIDResponse](req)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	if req.TransactionalID != nil {
		resp.ErrorCode = kerr.CoordinatorNotAvailable.Code
		return resp
	}
	id, ok := p.pids.take()
	if !ok || id >= p.pids.prefetch {
		p.askProducerIDs()
	}
	if !ok {
		resp.ErrorCode = kerr.CoordinatorLoadInProgress.Code
		return resp
	}
	resp.ProducerID, resp.ProducerEpoch = id, 0
	return resp
}

func (b *producerIDs) take() (int64, bool) {
	if b.next >= b.end && b.after != nil {
		b.next, b.end, b.after = b.after.start, b.after.end, nil
		b.prefetch = b.next + (b.end-b.next)*9/10
	}
	if b.next >= b.end {
		return 0, false
	}
	b.next++
	return b.next - 1, true
}

// askProducerIDs has one request in flight; a failure is asked again after 50 ms (3.6+),
// when a client wants an id.
func (p *process) askProducerIDs() {
	if p.pids.asking || p.pids.after != nil {
		return
	}
	p.pids.asking = true
	broker := p.epoch
	p.forward.send(controllerCall{
		build: func(version versionsOf) (kmsg.Request, bool) {
			req := kmsg.NewPtrAllocateProducerIDsRequest()
			req.BrokerID, req.BrokerEpoch = p.opts.ID, broker
			_, ok := version(wire.AllocateProducerIDs, 0)
			return req, ok
		},
		moved: func(resp kmsg.Response) bool {
			return resp.(*kmsg.AllocateProducerIDsResponse).ErrorCode == kerr.NotController.Code
		},
		done: func(resp kmsg.Response) { p.gotProducerIDs(resp.(*kmsg.AllocateProducerIDsResponse)) },
	})
}

func (p *process) gotProducerIDs(resp *kmsg.AllocateProducerIDsResponse) {
	// A block that starts below the one in use would give ids out twice.
	if resp.ErrorCode != 0 || resp.ProducerIDStart < p.pids.end {
		p.logf("AllocateProducerIds: error %d, block from %d", resp.ErrorCode, resp.ProducerIDStart)
		p.after(50*ms, func() { p.pids.asking = false })
		return
	}
	p.pids.asking = false
	p.pids.after = &idBlock{resp.ProducerIDStart, resp.ProducerIDStart + int64(resp.ProducerIDLen)}
}
