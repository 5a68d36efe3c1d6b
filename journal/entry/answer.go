package entry

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Info is a journal that is here: this process's, an earlier one's, or a copy.
type Info struct {
	Origin string `json:"origin"`
	First  uint64 `json:"first"`
	Last   uint64 `json:"last"`
	Bytes  int64  `json:"bytes"`
	Live   bool   `json:"live,omitempty"` // it is being written, by this process
}

// Answer is what some Batons know, chosen by a Filter.
type Answer struct {
	Entries  []Entry   `json:"entries"` // in order of time
	Journals []Holding `json:"journals"`
	// Unreached names Batons that could not be asked, and why.
	Unreached []string `json:"unreached"`
	// Missing names what is known to be lacking in Journals.
	Missing []string `json:"missing"`
	// Gone names Batons that are not running, and how much is known of their journals.
	Gone []string `json:"gone"`
}

// Holding is which part of a journal somebody has.
type Holding struct {
	Origin  string      `json:"origin"`
	Ranges  [][2]uint64 `json:"ranges"` // first and last numbers of entries, in order
	LastAt  time.Time   `json:"lastAt"`
	Damaged int         `json:"damaged,omitempty"` // records that could not be read
}

// Saw adds an entry's number, which must be higher than those before.
func (h *Holding) Saw(seq uint64) {
	if n := len(h.Ranges); n > 0 && h.Ranges[n-1][1]+1 == seq {
		h.Ranges[n-1][1] = seq
		return
	}
	h.Ranges = append(h.Ranges, [2]uint64{seq, seq})
}

// Merge puts answers of several Batons to one filter together: copies of an entry count once.
func Merge(f Filter, answers ...Answer) Answer {
	out := Answer{Entries: []Entry{}, Journals: []Holding{}, Unreached: []string{}, Missing: []string{}, Gone: []string{}}
	held := map[string]*Holding{}
	for _, a := range answers {
		out.Entries = append(out.Entries, a.Entries...)
		out.Unreached = append(out.Unreached, a.Unreached...)
		out.Gone = append(out.Gone, a.Gone...)
		for _, h := range a.Journals {
			if held[h.Origin] == nil {
				held[h.Origin] = &Holding{Origin: h.Origin}
			}
			held[h.Origin].join(h)
		}
	}
	slices.SortStableFunc(out.Entries, byTime)
	out.Entries = slices.CompactFunc(out.Entries, func(a, b Entry) bool { return a.Origin == b.Origin && a.Seq == b.Seq })
	out.Entries = f.newest(out.Entries)
	for _, h := range held {
		out.Journals = append(out.Journals, *h)
	}
	slices.SortFunc(out.Journals, func(a, b Holding) int { return cmp.Compare(a.Origin, b.Origin) })
	for _, h := range out.Journals {
		out.Missing = append(out.Missing, h.missing()...)
	}
	slices.Sort(out.Unreached)
	return out
}

func byTime(a, b Entry) int {
	if c := a.At.Compare(b.At); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Origin, b.Origin), cmp.Compare(a.Seq, b.Seq))
}

// newest drops what is over the limit.
func (f Filter) newest(all []Entry) []Entry {
	if f.Limit > 0 && len(all) > f.Limit {
		return all[len(all)-f.Limit:]
	}
	return all
}

func (h *Holding) join(o Holding) {
	all := append(h.Ranges, o.Ranges...)
	slices.SortFunc(all, func(a, b [2]uint64) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	var out [][2]uint64
	for _, r := range all {
		if n := len(out); n > 0 && r[0] <= out[n-1][1]+1 {
			out[n-1][1] = max(out[n-1][1], r[1])
			continue
		}
		out = append(out, r)
	}
	h.Ranges = out
	if o.LastAt.After(h.LastAt) {
		h.LastAt = o.LastAt
	}
}

// missing names the numbers between the first and the last that nobody has.
func (h *Holding) missing() []string {
	var out []string
	for i := 1; i < len(h.Ranges); i++ {
		out = append(out, fmt.Sprintf("entries %d to %d of the journal %s", h.Ranges[i-1][1]+1, h.Ranges[i][0]-1, h.Origin))
	}
	return out
}
