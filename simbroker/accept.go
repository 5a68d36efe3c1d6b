package simbroker

import (
	"github.com/twmb/franz-go/pkg/kerr"
)

// Sentinels of a leader epoch in StopReplica (10.2).
const (
	epochDuringDelete int32 = -2
	epochUnknown      int32 = -1
)

// noBrokerEpoch switches the check of a request's broker epoch off.
const noBrokerEpoch int64 = -1

// admit makes the checks of a whole control request (10.1, 2.5.1-3.9), in Kafka's order,
// and returns the top-level error.
//
// The controller's id is never compared: only epochs count. What is equal to the memory
// or above is accepted and becomes the memory, whoever sends it.
func (p *process) admit(brokerEpoch int64, controllerEpoch int32, kraft bool) int16 {
	switch {
	case brokerEpoch == noBrokerEpoch:
	case kraft:
		// 3.4+: an IllegalStateException without the migration's configuration. Unlike the
		// refusals below it lists a StopReplica's partitions, too [observed 3.9.1].
		return kerr.UnknownServerError.Code
	case brokerEpoch < p.epoch:
		return kerr.StaleBrokerEpoch.Code
	}
	if controllerEpoch < p.controllerEpoch {
		return kerr.StaleControllerEpoch.Code
	}
	p.controllerEpoch = controllerEpoch
	return 0
}
