package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"baton/journal/entry"
)

// Journal is what the endpoints need of a Baton's journals and its copies of others'.
type Journal interface {
	// History finds entries here and, unless local, at every other live Baton.
	History(ctx context.Context, f entry.Filter, local bool) (entry.Answer, error)
	// Journals lists what is here.
	Journals() ([]entry.Info, error)
	// StreamJournal writes a journal's records from a number on; the one that is being written goes on until ctx ends.
	StreamJournal(ctx context.Context, w io.Writer, flush func() error, origin string, from uint64) error
}

// Paths of the journals. They are read only, and open on both listeners as status is.
const (
	PathHistory  = "/api/v1/history"
	PathJournals = "/api/v1/journals"
)

// Readers at the same time: each of the first reads whole journals, each of the second is another Baton.
const (
	maxReading   = 4
	maxStreaming = 16
)

func (s *Server) journalRoutes(mux *http.ServeMux, socket bool) {
	mux.HandleFunc("GET "+PathHistory, func(w http.ResponseWriter, r *http.Request) { s.history(w, r, socket) })
	mux.HandleFunc("GET "+PathJournals, s.journals)
	mux.HandleFunc("GET "+PathJournals+"/{origin}", s.streamJournal)
}

// take a slot, or answer that there is none.
func take(w http.ResponseWriter, slots chan struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	default:
		writeError(w, http.StatusServiceUnavailable, kindf(KindBusy, "too many readers of the journal; try again"))
		return false
	}
}

func (s *Server) history(w http.ResponseWriter, r *http.Request, socket bool) {
	f, local, err := filterOf(r.URL.Query())
	if err != nil {
		writeError(w, http.StatusBadRequest, err)
		return
	}
	if !take(w, s.reading) {
		return
	}
	defer func() { <-s.reading }()
	// Who is not on this host can ask the other Batons itself.
	a, err := s.node.History(r.Context(), f, local || !socket && remote(r) != "")
	if err != nil {
		writeError(w, http.StatusServiceUnavailable, err)
		return
	}
	writeJSON(w, http.StatusOK, a)
}

func (s *Server) journals(w http.ResponseWriter, _ *http.Request) {
	if !take(w, s.reading) {
		return
	}
	defer func() { <-s.reading }()
	infos, err := s.node.Journals()
	if err != nil {
		writeError(w, http.StatusServiceUnavailable, err)
		return
	}
	writeJSON(w, http.StatusOK, infos)
}

func (s *Server) streamJournal(w http.ResponseWriter, r *http.Request) {
	from := uint64(1)
	if text := r.URL.Query().Get("from"); text != "" {
		var err error
		if from, err = strconv.ParseUint(text, 10, 64); err != nil {
			writeError(w, http.StatusBadRequest, Usage("from=%q: expected the number of an entry", text))
			return
		}
	}
	if !take(w, s.streaming) {
		return
	}
	defer func() { <-s.streaming }()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)() // a stream has no end of its own
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	out := http.NewResponseController(w)
	begun := false
	err := s.node.StreamJournal(ctx, w, func() error { begun = true; return out.Flush() }, r.PathValue("origin"), from)
	if err != nil && !begun {
		writeError(w, http.StatusServiceUnavailable, err)
	}
}

// historyValues is a Filter as it travels.
func historyValues(f entry.Filter, local bool) url.Values {
	v := url.Values{}
	set := func(key, value string, given bool) {
		if given {
			v.Set(key, value)
		}
	}
	set("topic", f.Topic, f.Topic != "")
	if f.Partition != nil {
		v.Set("partition", strconv.Itoa(int(*f.Partition)))
	}
	set("since", f.Since.Format(time.RFC3339Nano), !f.Since.IsZero())
	set("until", f.Until.Format(time.RFC3339Nano), !f.Until.IsZero())
	set("limit", strconv.Itoa(f.Limit), f.Limit > 0)
	set("tellings", "true", f.Tellings)
	set("local", "true", local)
	return v
}

func filterOf(v url.Values) (f entry.Filter, local bool, err error) {
	f.Topic, f.Tellings, local = v.Get("topic"), v.Get("tellings") == "true", v.Get("local") == "true"
	var errs []error
	if text := v.Get("partition"); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 0 || f.Topic == "" {
			errs = append(errs, fmt.Errorf("partition=%q: expected a number, beside a topic", text))
		}
		number := int32(n)
		f.Partition = &number
	}
	for key, to := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		if text := v.Get(key); text != "" {
			if *to, err = time.Parse(time.RFC3339Nano, text); err != nil {
				errs = append(errs, fmt.Errorf("%s=%q: expected a time as in RFC 3339", key, text))
			}
		}
	}
	if text := v.Get("limit"); text != "" {
		if f.Limit, err = strconv.Atoi(text); err != nil || f.Limit < 1 {
			errs = append(errs, fmt.Errorf("limit=%q: expected a number of at least 1", text))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return f, local, Usage("%w", err)
	}
	return f, local, nil
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 30

// History asks the Baton, which asks the others.
func (c *Client) History(ctx context.Context, f entry.Filter) (entry.Answer, error) {
	resp, err := c.do(ctx, http.MethodGet, PathHistory+"?"+historyValues(f, false).Encode(), nil)
	if err != nil {
		return entry.Answer{}, err
	}
	return decode[entry.Answer](resp, c.socket)
}

// Peer is another Baton, asked over its admin.listener.
type Peer struct {
	addr string
	http *http.Client
}

// NewPeer makes one; dial connects to addr, and each wait for an answer's beginning ends with patience.
func NewPeer(addr string, dial func(ctx context.Context, addr string) (net.Conn, error), patience time.Duration) *Peer {
	return &Peer{addr, &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: patience,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			return dial(ctx, addr)
		}}}}
}

// History asks for what that Baton has itself.
func (p *Peer) History(ctx context.Context, f entry.Filter) (entry.Answer, error) {
	resp, err := p.get(ctx, PathHistory+"?"+historyValues(f, true).Encode())
	if err != nil {
		return entry.Answer{}, err
	}
	return decode[entry.Answer](resp, p.addr)
}

// Journals lists what that Baton has.
func (p *Peer) Journals(ctx context.Context) ([]entry.Info, error) {
	resp, err := p.get(ctx, PathJournals)
	if err != nil {
		return nil, err
	}
	return decode[[]entry.Info](resp, p.addr)
}

// Stream reads one of its journals from a number on.
func (p *Peer) Stream(ctx context.Context, origin string, from uint64) (io.ReadCloser, error) {
	resp, err := p.get(ctx, PathJournals+"/"+url.PathEscape(origin)+"?from="+strconv.FormatUint(from, 10))
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func (p *Peer) get(ctx context.Context, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := p.http.Do(r)
	if err != nil || resp.StatusCode == http.StatusOK {
		return resp, err
	}
	defer closeBody(resp)
	var f failure
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&f); err != nil || f.Error == "" {
		return nil, fmt.Errorf("%s answered %s", p.addr, resp.Status)
	}
	return nil, errors.New(f.Error)
}

func decode[T any](resp *http.Response, from string) (v T, err error) {
	defer closeBody(resp)
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&v); err != nil {
		return v, fmt.Errorf("answer of %s: %w", from, err)
	}
	return v, nil
}
