package simbroker

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// controlledShutdown asks the controller for leave (08.4) as KafkaServer does: on a
// connection of its own, v3 without ApiVersions, some tries with a pause. Only no error
// and nothing remaining counts; after the last try the broker goes all the same.
func (p *process) controlledShutdown(ctx context.Context) bool {
	for try := range p.opts.ShutdownTries {
		if try > 0 && !p.sleep(p.opts.ShutdownPause) {
			return false
		}
		err := p.askLeave()
		if err == nil {
			return true
		}
		p.logf("controlled shutdown, try %d: %v", try+1, err)
		if ctx.Err() != nil {
			return false
		}
	}
	return false
}

func (p *process) askLeave() error {
	type target struct {
		addr  string
		epoch int64
	}
	to, ok := ask(p, func() target {
		p.stopping = true
		return target{p.controllerAddr(), p.epoch}
	})
	if !ok || to.addr == "" {
		return fmt.Errorf("the metadata cache knows no controller")
	}
	conn, err := p.dial(to.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	req := kmsg.NewPtrControlledShutdownRequest()
	req.Version, req.BrokerID, req.BrokerEpoch = 3, p.opts.ID, to.epoch
	resp, err := p.exchange(conn, 1, req, p.opts.RequestTimeout)
	if err != nil {
		return err
	}
	cs := resp.(*kmsg.ControlledShutdownResponse)
	switch {
	case cs.ErrorCode != 0:
		return kerr.ErrorForCode(cs.ErrorCode)
	case len(cs.PartitionsRemaining) > 0:
		return fmt.Errorf("%d partitions remain", len(cs.PartitionsRemaining))
	}
	return nil
}
