package wire

import (
	"bufio"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Ask sends one request in exactly its version and reads the answer, for connections on which
// nothing else is under way. in reads from the same connection; its deadline is the caller's.
func Ask(out io.Writer, in *bufio.Reader, clientID string, correlationID int32, req kmsg.Request) (kmsg.Response, error) {
	frame, err := AppendRequest(nil, &clientID, correlationID, req)
	if err != nil {
		return nil, err
	}
	if _, err := out.Write(frame); err != nil {
		return nil, err
	}
	answer, err := ReadFrame(in, nil, MaxFrame)
	if err != nil {
		return nil, err
	}
	got, body, err := ParseResponseHeader(answer, req.Key(), req.GetVersion())
	if err != nil {
		return nil, err
	}
	if got != correlationID {
		return nil, fmt.Errorf("answer %d to request %d", got, correlationID)
	}
	return DecodeResponse(req.Key(), req.GetVersion(), body)
}
