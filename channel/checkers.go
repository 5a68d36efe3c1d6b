package channel

import "baton/planner"

// Encode returns a request's whole frame as a session would write it. It is for checkers of our bytes: sessions use
// buffers of their own.
func Encode(r *planner.Request, version int16, listener, clientID string, correlation int32) ([]byte, error) {
	var e encoder
	return e.encode(r, version, listener, &clientID, correlation)
}
