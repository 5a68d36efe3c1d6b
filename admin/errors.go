package admin

import (
	"context"
	"errors"
	"fmt"
)

// Kind classifies an error by what a caller can do about it.
type Kind string

// The kinds. An error without one is KindFailed.
const (
	KindFailed      Kind = "failed"      // tried, and did not work
	KindUsage       Kind = "usage"       // asked wrongly
	KindRefused     Kind = "refused"     // not tried, because it would be unsafe
	KindPartly      Kind = "partly"      // some of it was done
	KindUnreachable Kind = "unreachable" // ZooKeeper or the instance could not be reached
	KindBusy        Kind = "busy"        // another command is running
)

// ExitCode is the exit code of a command that ends with this kind.
func (k Kind) ExitCode() int {
	switch k {
	case KindUsage:
		return 2
	case KindRefused:
		return 3
	case KindPartly:
		return 4
	case KindUnreachable:
		return 5
	}
	return 1
}

// Error is an error of a known kind.
type Error struct {
	Kind Kind
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Refused is an error of KindRefused.
func Refused(format string, args ...any) error { return kindf(KindRefused, format, args...) }

// Partly is an error of KindPartly.
func Partly(format string, args ...any) error { return kindf(KindPartly, format, args...) }

// Unreachable is an error of KindUnreachable.
func Unreachable(format string, args ...any) error { return kindf(KindUnreachable, format, args...) }

// Usage is an error of KindUsage.
func Usage(format string, args ...any) error { return kindf(KindUsage, format, args...) }

func kindf(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Err: fmt.Errorf(format, args...)}
}

// KindOf finds the kind of an error; one whose time ran out could not reach what it waited for.
func KindOf(err error) Kind {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, context.DeadlineExceeded):
		return KindUnreachable
	}
	return KindFailed
}
