package zkstore

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"baton/planner"
	"baton/quota"
)

// Quotas are not watched one by one, as there may be as many as users: whoever changes one
// announces it under /config/changes, where brokers look, too. Announcements stay for a quarter
// of an hour, so none is missed by a session that lives.

// quotaSlice is how many entities are read before other news is looked at.
const quotaSlice = 512

// quotaRead is what was last delivered of an entity.
type quotaRead struct {
	limited bool
	rate    float64
	bad     string
}

// quotaChanges has the entities read that were announced since the last time; all there are,
// the first time. Those that could not be understood are always read again.
func (r *runner) quotaChanges(ctx context.Context) (changed bool, err error) {
	names, err := r.st.s.childrenW(ctx, pathConfigChanges)
	if err != nil {
		return false, err
	}
	k := &r.st.known
	first := k.changes == nil
	news := slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, known := k.changes[name]; return known })
	seen := make(map[string]string, len(names))
	for _, name := range names {
		seen[name] = k.changes[name]
	}
	if first {
		r.quotas[pathUserConfigs], r.quotas[pathClientConfigs] = true, true
	} else if err := r.announced(ctx, news, seen); err != nil {
		return false, err
	}
	for path, q := range k.quotas {
		if q.bad != "" {
			r.quotas[path] = true
		}
	}
	changed = len(news) > 0 && !first
	if badNow := badChanges(seen); !slices.Equal(badNow, badChanges(k.changes)) {
		r.quotas[""] = true // delivers what is bad, if nothing else does
	}
	k.changes = seen
	return changed, nil
}

// announced reads announcements and notes what is wrong with them in seen.
func (r *runner) announced(ctx context.Context, names []string, seen map[string]string) error {
	nodes, bad := make([]node, len(names)), make([]error, len(names))
	err := parallel(ctx, len(names), r.st.s.cfg.reads(), func(ctx context.Context, i int) (err error) {
		nodes[i], err = r.st.s.get(ctx, childPath(pathConfigChanges, names[i]))
		if classify(err) == classRefused {
			bad[i], err = err, nil
		}
		return err
	})
	if err != nil {
		return err
	}
	for i, n := range nodes {
		var entity string
		if bad[i] == nil && n.exists {
			entity, bad[i] = decodeConfigChange(n.data)
		}
		if bad[i] != nil {
			seen[names[i]] = bad[i].Error()
		}
		if path := childPath(pathConfig, entity); isQuotaPath(path) {
			r.quotas[path] = true
		}
	}
	return nil
}

func badChanges(changes map[string]string) (out []planner.Bad) {
	for _, name := range sortedKeys(changes) {
		if changes[name] != "" {
			out = append(out, planner.Bad{Path: childPath(pathConfigChanges, name), Reason: changes[name]})
		}
	}
	return out
}

func isQuotaPath(path string) bool {
	return strings.HasPrefix(path, pathUserConfigs+"/") || strings.HasPrefix(path, pathClientConfigs+"/")
}

// someQuotas reads one slice of the entities that wait.
func (r *runner) someQuotas(ctx context.Context) error {
	if len(r.quotas) == 0 {
		return nil
	}
	paths := sortedKeys(r.quotas)
	paths = paths[:min(len(paths), quotaSlice)]
	reads, below := make([]quotaRead, len(paths)), make([][]string, len(paths))
	err := parallel(ctx, len(paths), r.st.s.cfg.reads(), func(ctx context.Context, i int) (err error) {
		reads[i], below[i], err = r.readQuota(ctx, paths[i])
		return err
	})
	if err != nil {
		return err
	}
	var ev planner.QuotasChanged
	k := &r.st.known
	deliver := r.quotas[""]
	for i, path := range paths {
		delete(r.quotas, path)
		for _, found := range below[i] {
			r.quotas[found] = true
		}
		old, now := k.quotas[path], reads[i]
		if old == now {
			continue
		}
		deliver = true
		if now.bad == "" {
			// It was good, or it would be bad.
			if entity, err := quotaEntity(path); err == nil && (old.limited != now.limited || old.rate != now.rate) {
				read := planner.QuotaRead{Entity: entity}
				if now.limited {
					read.Rate = &now.rate
				}
				ev.Read = append(ev.Read, read)
			}
		} else {
			now.limited, now.rate = old.limited, old.rate // which is what holds
		}
		if k.quotas[path] = now; now == (quotaRead{}) {
			delete(k.quotas, path)
		}
	}
	if !deliver {
		return nil
	}
	ev.Bad = badChanges(k.changes)
	for _, path := range sortedKeys(k.quotas) {
		if bad := k.quotas[path].bad; bad != "" {
			ev.Bad = append(ev.Bad, planner.Bad{Path: path, Reason: bad})
		}
	}
	r.sink(ev)
	return nil
}

// readQuota reads one entity, or a directory of them, and finds those below it. A user's may be
// kept from us by ACLs, as credentials are there, too.
func (r *runner) readQuota(ctx context.Context, path string) (q quotaRead, below []string, err error) {
	dir := path
	switch path {
	case "":
		return q, nil, nil
	case pathUserConfigs, pathClientConfigs:
	default:
		if _, err := quotaEntity(path); err != nil {
			return quotaRead{bad: err.Error()}, nil, nil
		}
		n, err := r.st.s.get(ctx, path)
		if err == nil && n.exists {
			q = decodeQuota(n.data)
		}
		if err != nil || n.stat.NumChildren == 0 {
			return q.orRefused(err), nil, unlessRefused(err)
		}
		dir += "/clients"
	}
	names, err := r.st.s.children(ctx, dir)
	for _, name := range names {
		below = append(below, childPath(dir, name))
	}
	return q.orRefused(err), below, unlessRefused(err)
}

// orRefused has it that a read was not allowed.
func (q quotaRead) orRefused(err error) quotaRead {
	if classify(err) == classRefused {
		q.bad = err.Error()
	}
	return q
}

func unlessRefused(err error) error {
	if classify(err) == classRefused {
		return nil
	}
	return err
}

// quotaEntity reads a znode's path: users/U, users/U/clients/C or clients/C below /config, where
// names are URL-encoded, and <default> is not.
func quotaEntity(path string) (e quota.Entity, err error) {
	parts := strings.Split(strings.TrimPrefix(path, pathConfig+"/"), "/")
	scope := func(name string) (s quota.Scope) {
		if name == "<default>" {
			return quota.Scope{Kind: quota.Default}
		}
		text, e := url.QueryUnescape(name)
		if e != nil || text == "" {
			err = fmt.Errorf("expected a URL-encoded name, found %s", excerpt([]byte(name)))
		}
		return quota.Of(text)
	}
	switch {
	case len(parts) == 2 && parts[0] == "users":
		e.User = scope(parts[1])
	case len(parts) == 2 && parts[0] == "clients":
		e.Client = scope(parts[1])
	case len(parts) == 4 && parts[0] == "users" && parts[2] == "clients":
		e.User, e.Client = scope(parts[1]), scope(parts[3])
	default:
		err = fmt.Errorf("expected users/U, users/U/clients/C or clients/C below %s, found %s", pathConfig, excerpt([]byte(path)))
	}
	return e, err
}

// decodeConfigChange returns which entity has another configuration, as a path below /config.
// Version 1 is of brokers before 0.10.1, and of tools as old.
func decodeConfigChange(data []byte) (string, error) {
	o, err := parseObject(data)
	if err != nil {
		return "", err
	}
	switch v, err := required[int32](o, "version", kindInt); {
	case err != nil:
		return "", err
	case v == 1:
		kind, err := required[string](o, "entity_type", kindString)
		if err != nil {
			return "", err
		}
		name, err := required[string](o, "entity_name", kindString)
		return kind + "/" + name, err
	case v == 2:
		return required[string](o, "entity_path", kindString)
	default:
		return "", fmt.Errorf("expected version 1 or 2, found %d", v)
	}
}

// decodeQuota finds controller_mutation_rate in a configuration.
func decodeQuota(data []byte) (q quotaRead) {
	const key = "controller_mutation_rate"
	config, err := decodeConfig(data)
	var text string
	if err == nil {
		text, q.limited, err = field[string](config, key, kindString)
	}
	if err == nil && q.limited {
		q.rate, err = strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || math.IsNaN(q.rate) || math.IsInf(q.rate, 0) {
			err = fmt.Errorf("expected %s to be a number, found %s", key, excerpt([]byte(text)))
		}
	}
	if err != nil {
		return quotaRead{bad: err.Error()}
	}
	return q
}
