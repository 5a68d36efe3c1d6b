package admin

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"

	"baton/snapshot"
)

// snapshotWait is how long a client may take to read a snapshot.
const snapshotWait = 2 * time.Minute

// snapshot answers with the image of the cluster; ?topic=NAME, repeatable, of those topics only. A few are taken
// at a time; each is written line by line while its client reads.
func (s *Server) snapshot(w http.ResponseWriter, r *http.Request) {
	select {
	case s.taking <- struct{}{}:
		defer func() { <-s.taking }()
	case <-r.Context().Done():
		return
	}
	d, err := s.node.Snapshot(r.Context(), r.URL.Query()["topic"])
	if err != nil {
		writeError(w, http.StatusServiceUnavailable, err)
		return
	}
	// Others wait for this one's reader, but not for ever.
	conn := http.NewResponseController(w)
	_ = conn.SetWriteDeadline(time.Now().Add(snapshotWait))
	defer conn.SetWriteDeadline(time.Time{}) //nolint:errcheck // the connection is at its end then
	w.Header().Set("Content-Type", "application/json")
	if err := d.Encode(w); err != nil {
		s.log.Info("a snapshot was not read to its end", zap.Error(err))
	}
}

// Snapshot asks for the image of the cluster, of the named topics or, without names, of all.
func (c *Client) Snapshot(ctx context.Context, topics ...string) (*snapshot.Document, error) {
	path := PathSnapshot
	if len(topics) > 0 {
		path += "?" + url.Values{"topic": topics}.Encode()
	}
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer closeBody(resp)
	d, err := snapshot.Decode(resp.Body)
	if err != nil {
		if ctx.Err() != nil {
			return nil, Unreachable("gave up reading the snapshot: %w", ctx.Err())
		}
		return nil, Unreachable("the answer of %s: %w", c.socket, err)
	}
	return d, nil
}
