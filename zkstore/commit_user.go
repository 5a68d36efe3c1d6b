package zkstore

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"baton/planner"

	"github.com/go-zookeeper/zk"
)

// alterUser changes keys of a user's configuration on condition of its version, together with
// the notification that makes brokers read it. One of which nothing is left is deleted, as
// Kafka does, unless there are quotas of the user's clients below it.
func (c *commit) alterUser(ctx context.Context, seq uint64, w planner.AlterUser) error {
	entity := "users/" + sanitized(w.User)
	path := pathConfig + "/" + entity
	tried, keep := false, false
	return c.rounds(ctx, seq, path, func(n node) (bool, error) {
		config, err := decodeConfig(n.data)
		switch {
		case err != nil:
			c.failed(seq, fmt.Errorf("%s: %w", path, err))
			return true, nil
		case tried && isAltered(config, w):
			c.result(planner.Result{Seq: seq, Outcome: planner.Applied})
			return true, nil
		}
		next, missing := altered(config, w)
		if missing != "" {
			c.result(planner.Result{Seq: seq, Outcome: planner.Conflict, Reason: path + ": no " + missing})
			return true, nil
		}
		data := encodeConfig(next)
		if len(data) > maxZnode {
			c.failed(seq, fmt.Errorf("%s: %w: %d bytes", path, errTooLarge, len(data)))
			return true, nil
		}
		change := any(c.s.opSet(path, data, n.stat.Version))
		switch {
		case !n.exists:
			change = c.s.opCreate(path, data, 0)
		case len(next) == 0 && !keep:
			change = c.s.opDelete(path, n.stat.Version)
		}
		a, err := c.attempt(ctx, "changing "+path, []any{change, c.s.opNotify(entity)})
		if err != nil {
			return false, err
		}
		tried = tried || a.unclear
		if a.failed == 0 && len(next) == 0 && !keep && a.class == classRefused {
			keep = true // it has children
			return false, nil
		}
		return c.settled(path, a, planner.Result{Seq: seq, Outcome: planner.Applied}), nil
	})
}

// altered returns the configuration as it is to be, or a key that should be there.
func altered(config object, w planner.AlterUser) (next object, missing string) {
	next = object{}
	for k, v := range config {
		next[k] = v
	}
	for _, k := range w.Remove {
		if _, ok := next[k]; !ok {
			return nil, k
		}
		delete(next, k)
	}
	for k, v := range w.Set {
		next[k] = mustJSON(v)
	}
	return next, ""
}

// isAltered reports whether a configuration is as it was to be made.
func isAltered(config object, w planner.AlterUser) bool {
	for _, k := range w.Remove {
		if _, ok := config[k]; ok {
			return false
		}
	}
	for k, v := range w.Set {
		var found string
		if json.Unmarshal(config[k], &found) != nil || found != v {
			return false
		}
	}
	return true
}

func encodeConfig(config object) []byte {
	return mustJSON(struct {
		Version int    `json:"version"`
		Config  object `json:"config"`
	}{1, config})
}

// opNotify tells brokers that the configuration of an entity, as "users/alice", has changed.
func (s *Session) opNotify(entity string) *zk.CreateRequest {
	return s.opCreate(pathConfigChanges+"/config_change_", mustJSON(struct {
		Version int    `json:"version"`
		Path    string `json:"entity_path"`
	}{2, entity}), zk.FlagSequence)
}

// sanitized is a user's name as a znode's (Kafka's Sanitizer): URL-encoded as Java does, which
// encodes the tilde, but with %20 for a space.
func sanitized(user string) string {
	return strings.NewReplacer("+", "%20", "~", "%7E").Replace(url.QueryEscape(user))
}
