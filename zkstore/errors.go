package zkstore

import (
	"errors"
	"strings"

	"github.com/go-zookeeper/zk"
)

// What callers act on; epoch.ErrFenced is the fourth.
var (
	// ErrTaken: somebody else claimed first, or the view the claim was made from is old.
	ErrTaken = errors.New("the role was taken by somebody else")
	// ErrRoleLost: /controller is not ours (any more).
	ErrRoleLost = errors.New("/controller is not ours")
	// ErrSession: the session has ended, by expiry or by Close. Nothing that it was
	// asked for is still going to happen, and what was under way has an unknown outcome.
	ErrSession = errors.New("the ZooKeeper session has ended")
)

// class is what an error of the connection means for the request it answers.
type class int

const (
	classOK         class = iota
	classNoNode           // definite answers of the server
	classBadVersion       //
	classNodeExists       //
	classRefused          // any other definite refusal: NOAUTH, INVALIDACL, too large, …
	classNotSent          // certainly not applied; may be sent again
	classUnknown          // may or may not have been applied
	classEnded            // the session is over
)

// classify is the only place that knows the client library's errors.
func classify(err error) class {
	switch {
	case err == nil:
		return classOK
	case errors.Is(err, ErrSession), errors.Is(err, zk.ErrSessionExpired):
		return classEnded
	case errors.Is(err, zk.ErrNoNode):
		return classNoNode
	case errors.Is(err, zk.ErrBadVersion):
		return classBadVersion
	case errors.Is(err, zk.ErrNodeExists):
		return classNodeExists
	case errors.Is(err, zk.ErrNoServer), errors.Is(err, zk.ErrSessionMoved):
		// ErrNoServer only ever goes to requests still in the queue; a moved session's
		// request is ignored by the server.
		return classNotSent
	case errors.Is(err, zk.ErrNoAuth), errors.Is(err, zk.ErrInvalidACL), errors.Is(err, zk.ErrAuthFailed),
		errors.Is(err, zk.ErrNotEmpty), errors.Is(err, zk.ErrNoChildrenForEphemerals),
		errors.Is(err, zk.ErrBadArguments), errors.Is(err, zk.ErrInvalidPath), errors.Is(err, zk.ErrShortBuffer),
		errors.Is(err, zk.ErrInvalidFlags), errors.Is(err, zk.ErrAPIError):
		return classRefused
	case strings.Contains(err.Error(), "unknown error: -"):
		// A code of the server that the library has no name for (MARSHALLINGERROR,
		// UNIMPLEMENTED, THROTTLEDOP): an answer, so not an unknown outcome.
		return classRefused
	}
	// ErrConnectionClosed, ErrClosing, and raw network errors of a failed write.
	return classUnknown
}

// failedOp returns the index of the operation that made a multi fail and its error.
// The server answers 0 for operations before it and RUNTIMEINCONSISTENCY after it, so
// the first error is the real one. -1: the multi as a whole has no answer.
func failedOp(res []zk.MultiResponse) (int, error) {
	for i, r := range res {
		if r.Error != nil {
			return i, r.Error
		}
	}
	return -1, nil
}
