package server

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// notYetMessage goes with each item that only a controller can do and that is not
// built. The codes are final for clients: retrying would not help them.
const notYetMessage = "Baton does not do this yet; `controller handback` returns the role to Kafka's own controller."

const standbyMessage = "This is not the correct controller for this cluster."

// refusal is one code for everything in a request.
type refusal struct {
	code    int16
	message *string
}

// refuse makes the pair of handlers of an API that is not built: a final code while
// active, NOT_CONTROLLER while not, in the shape that f gives both.
func refuse[R kmsg.Request](f func(R, refusal) kmsg.Response) (active, standby handler) {
	with := func(e *kerr.Error, message string) handler {
		no := refusal{e.Code, &message}
		return typed(func(_ context.Context, _ *request, req R) (kmsg.Response, error) { return f(req, no), nil })
	}
	return with(kerr.InvalidRequest, notYetMessage), with(kerr.NotController, standbyMessage)
}
