package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"baton/admin"
	"baton/journal"
	"baton/journal/entry"
	"baton/zkstore"
)

// ServedAt says, before Run, where the admin endpoints are reached: other Batons copy our journal from there.
func (n *Node) ServedAt(addr string) { n.adminAt = published(addr) }

// published is an address that others can use: a listener on every address is reached by the host's name.
func published(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			return ""
		}
	}
	return net.JoinHostPort(host, port)
}

// recordRole puts on record who holds the role, as far as we had to do with it.
func (n *Node) recordRole(epoch int32, format string, args ...any) {
	n.journal.Add(epoch, entry.Entry{Kind: entry.Role, Text: fmt.Sprintf(format, args...)})
}

// recordCommand puts an operator's command on record, with what came of it.
func (n *Node) recordCommand(what string, req admin.Request, begun time.Time, err error) {
	e := entry.Entry{Kind: entry.Command, Text: what, Who: req.Who, Why: req.Why, MS: time.Since(begun).Milliseconds()}
	if err != nil {
		e.Error = err.Error()
	}
	n.journal.Add(0, e)
}

const (
	// peerPatience is how long another Baton may take to begin with its answer.
	peerPatience = 10 * time.Second
	// copyAgain is how long a Baton whose journal cannot be copied is left alone.
	copyAgain = 5 * time.Second
)

// peer is how another Baton is asked, or why it cannot be.
func (n *Node) peer(m zkstore.Member) (*admin.Peer, error) {
	host, _, err := net.SplitHostPort(m.Admin)
	if err != nil {
		return nil, errors.New("it publishes no admin.listener")
	}
	here, _ := os.Hostname()
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() && m.Host != here {
		return nil, fmt.Errorf("its admin.listener is %s, which only its own host %s can reach", m.Admin, m.Host)
	}
	return admin.NewPeer(m.Admin, n.network.Dial, peerPatience), nil
}

func label(m zkstore.Member) string { return fmt.Sprintf("Baton %d (%s)", m.ID, m.Name) }

// others are the live Batons but for this one; known is false without a session.
func (n *Node) others() (others []zkstore.Member, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.view.Members {
		if m.ID != n.id() {
			others = append(others, m)
		}
	}
	return others, n.viewSeen
}

// History implements admin.Node.
func (n *Node) History(ctx context.Context, f entry.Filter, local bool) (entry.Answer, error) {
	own, err := n.journal.Select(ctx, f)
	if local {
		return own, err
	}
	answers := []entry.Answer{own}
	if err != nil {
		answers[0] = entry.Answer{Unreached: []string{fmt.Sprintf("Baton %d, which was asked: %v", n.id(), err)}}
	}
	others, known := n.others()
	if !known {
		answers = append(answers, entry.Answer{Unreached: []string{"other Batons: without ZooKeeper it is not known which there are"}})
	}
	asked := make([]entry.Answer, len(others))
	var wg sync.WaitGroup
	for i, m := range others {
		wg.Go(func() {
			p, err := n.peer(m)
			if err == nil {
				asked[i], err = p.History(ctx, f)
			}
			if err != nil {
				asked[i] = entry.Answer{Unreached: []string{label(m) + ": " + err.Error()}}
			}
		})
	}
	wg.Wait()
	a := entry.Merge(f, append(answers, asked...)...)
	if known {
		a.Gone = n.gone(a.Journals, others)
	}
	return a, ctx.Err()
}

// gone says of Batons that do not run up to where their journal is known.
func (n *Node) gone(journals []entry.Holding, others []zkstore.Member) []string {
	running := map[int32]bool{n.id(): true}
	for _, m := range others {
		running[m.ID] = true
	}
	newest := map[int32]entry.Holding{}
	for _, h := range journals {
		if o, err := journal.ParseOrigin(h.Origin); err == nil && !running[o.Baton] && len(h.Ranges) > 0 && h.LastAt.After(newest[o.Baton].LastAt) {
			newest[o.Baton] = h
		}
	}
	out := []string{}
	for _, id := range slices.Sorted(maps.Keys(newest)) {
		h := newest[id]
		out = append(out, fmt.Sprintf("Baton %d is not running; its journal is known up to entry %d, %s", id, h.Ranges[len(h.Ranges)-1][1],
			h.LastAt.UTC().Format(time.RFC3339Nano)))
	}
	return out
}

// Journals implements admin.Node.
func (n *Node) Journals() ([]entry.Info, error) { return n.journal.Journals() }

// StreamJournal implements admin.Node.
func (n *Node) StreamJournal(ctx context.Context, w io.Writer, flush func() error, origin string, from uint64) error {
	return n.journal.Stream(ctx, w, flush, origin, from)
}

// copyJournals keeps a copy of the journal of each other live Baton until ctx ends.
func (n *Node) copyJournals(ctx context.Context) {
	if _, err := n.journal.Journals(); errors.Is(err, journal.ErrOff) {
		return
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	copying := map[int32]context.CancelFunc{}
	at := map[int32]zkstore.Member{}
	broken := &troubles{n: n, why: map[int32]string{}}
	for {
		n.mu.Lock()
		changed := n.changed
		n.mu.Unlock()
		others, known := n.others()
		for id, stop := range copying {
			if i := slices.IndexFunc(others, func(m zkstore.Member) bool { return m.ID == id }); known && (i < 0 || others[i] != at[id]) {
				stop()
				delete(copying, id)
				broken.set(at[id], nil)
			}
		}
		for _, m := range others {
			if copying[m.ID] != nil {
				continue
			}
			one, stop := context.WithCancel(ctx)
			copying[m.ID], at[m.ID] = stop, m
			room := n.journal.Room() / int64(len(others))
			wg.Go(func() {
				defer stop()
				n.keepCopying(one, m, room, broken)
			})
		}
		select {
		case <-changed:
		case <-ctx.Done():
			for _, stop := range copying {
				stop()
			}
			return
		}
	}
}

// keepCopying copies one Baton's journal until ctx ends.
func (n *Node) keepCopying(ctx context.Context, m zkstore.Member, room int64, broken *troubles) {
	for ctx.Err() == nil {
		p, err := n.peer(m)
		if err == nil {
			err = n.copyFrom(ctx, p, m, room, func() { broken.set(m, nil) })
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("it has ended the stream")
		}
		broken.set(m, err)
		pause(ctx, copyAgain)
	}
}

// copyFrom copies what a Baton has of its own: journals of earlier processes of it, newest first as far as there is
// room, and then the one that it is writing, for as long as that goes on.
func (n *Node) copyFrom(ctx context.Context, p *admin.Peer, m zkstore.Member, room int64, well func()) error {
	infos, err := p.Journals(ctx)
	if err != nil {
		return err
	}
	infos = slices.DeleteFunc(infos, func(i entry.Info) bool { return !strings.HasPrefix(i.Origin, fmt.Sprintf("%d-", m.ID)) })
	for i := len(infos) - 1; i >= 0; i-- {
		if room -= infos[i].Bytes; room < 0 && !infos[i].Live {
			infos = infos[i+1:]
			break
		}
	}
	for _, i := range infos {
		if i.Live {
			well()
		}
		if err := n.copyOne(ctx, p, i); err != nil {
			return fmt.Errorf("%s: %w", i.Origin, err)
		}
	}
	if len(infos) == 0 {
		well() // it has written nothing yet
	}
	return nil
}

func (n *Node) copyOne(ctx context.Context, p *admin.Peer, i entry.Info) error {
	c, err := n.journal.Copy(i.Origin)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // Add has told what matters
	if !i.Live && c.Last() >= i.Last {
		return nil
	}
	r, err := p.Stream(ctx, i.Origin, c.Last()+1)
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // read only
	return c.Add(r)
}

// troubles says once of each Baton why its journal cannot be copied.
type troubles struct {
	n   *Node
	mu  sync.Mutex
	why map[int32]string
}

func (t *troubles) set(m zkstore.Member, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch was := t.why[m.ID]; {
	case err == nil:
		delete(t.why, m.ID)
	case was == "":
		t.n.log.Warn("the journal of another Baton cannot be copied; it is tried again", zap.String("baton", label(m)), zap.Error(err))
		fallthrough
	default:
		t.why[m.ID] = err.Error()
	}
	t.n.metrics.Journal().Uncopied(len(t.why))
}
