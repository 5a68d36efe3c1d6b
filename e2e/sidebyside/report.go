package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// result is one figure of one contender, or several of the same scenario.
type result struct {
	Contender     string  `json:"contender"`
	Size          string  `json:"size"`
	Run           int     `json:"run"`
	Load          float64 `json:"load"` // average of a minute before the contender began
	Scenario      string  `json:"scenario"`
	Affected      int     `json:"affected,omitempty"` // partitions that it is about; of latencies, how many there are
	Seconds       float64 `json:"seconds,omitempty"`
	ControllerCPU float64 `json:"controller_cpu_seconds,omitempty"`
	ZooKeeperCPU  float64 `json:"zookeeper_cpu_seconds,omitempty"`
	Requests      int64   `json:"zookeeper_requests,omitempty"`
	Bytes         int64   `json:"bytes_to_brokers,omitempty"`
	RSS           int64   `json:"rss_bytes,omitempty"`
	PeakRSS       int64   `json:"peak_rss_bytes,omitempty"`  // during the scenario
	LiveHeap      int64   `json:"live_heap_bytes,omitempty"` // after a forced collection
	PeakHeap      int64   `json:"peak_live_heap_bytes,omitempty"`
}

func (r result) String() string {
	return fmt.Sprintf("%-36s %8.3f s, CPU %6.2f + %5.2f s, %7d requests, %6.1f MB sent, %5.0f MB RSS, heap %.1f MB", r.Scenario, r.Seconds,
		r.ControllerCPU, r.ZooKeeperCPU, r.Requests, float64(r.Bytes)/1e6, float64(max(r.RSS, r.PeakRSS))/1e6, float64(max(r.LiveHeap, r.PeakHeap))/1e6)
}

// row is one scenario at one size.
type row struct{ size, scenario string }

func rows(all []result) []row {
	var out []row
	for _, r := range all {
		if k := (row{r.Size, r.Scenario}); !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	slices.SortStableFunc(out, func(a, b row) int { return slices.Index(sizes(all), a.size) - slices.Index(sizes(all), b.size) })
	return out
}

func sizes(all []result) []string {
	var out []string
	for _, r := range all {
		if !slices.Contains(out, r.Size) {
			out = append(out, r.Size)
		}
	}
	return out
}

// names of those who have played, Baton last: it is who the others are compared with.
func names(all []result) []string {
	var out []string
	for i := range contenders {
		if slices.ContainsFunc(all, func(r result) bool { return r.Contender == contenders[i].name }) {
			out = append(out, contenders[i].name)
		}
	}
	return out
}

// median of what a field of the results of one contender in one row is, and the worst; false without a result. What is not
// known, as the live heap where nothing was collected, is 0 and does not count.
func median(all []result, k row, who string, field func(result) float64) (middle, worst float64, ok bool) {
	var v []float64
	for _, r := range all {
		if r.Size == k.size && r.Scenario == k.scenario && r.Contender == who && field(r) != 0 {
			v = append(v, field(r))
		}
	}
	if len(v) == 0 {
		return 0, 0, false
	}
	slices.Sort(v)
	n := len(v)
	if n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2, v[n-1], true
	}
	return v[n/2], v[n-1], true
}

func seconds(r result) float64 { return r.Seconds }

func cpuSeconds(r result) float64 { return r.ControllerCPU + r.ZooKeeperCPU }

// each divides by the partitions that a result is about.
func each(of func(result) float64) func(result) float64 {
	return func(r result) float64 {
		if r.Affected == 0 {
			return 0
		}
		return of(r) / float64(r.Affected)
	}
}

func requests(r result) float64 { return float64(r.Requests) }

func liveHeap(r result) float64 { return float64(max(r.LiveHeap, r.PeakHeap)) }

func heapEach(r result) float64 { return liveHeap(r) / float64(max(1, partitionsOf(r.Size))) }

func residentMB(r result) float64 { return float64(max(r.RSS, r.PeakRSS)) / 1e6 }

var columns = []struct {
	title, format string
	field         func(result) float64
	worst         bool
}{
	{"Seconds: median (worst)", "%.3f", seconds, true},
	{"CPU seconds of the controller and ZooKeeper", "%.2f", cpuSeconds, false},
	{"CPU seconds of the controller", "%.2f", func(r result) float64 { return r.ControllerCPU }, false},
	{"Requests to ZooKeeper", "%.0f", requests, false},
	{"Requests to ZooKeeper for each partition that is affected", "%.4f", each(requests), false},
	{"MB sent to brokers", "%.1f", func(r result) float64 { return float64(r.Bytes) / 1e6 }, false},
	{"Live heap, MB: after a forced collection at rest, otherwise the most after any collection (Go only)", "%.1f",
		func(r result) float64 { return liveHeap(r) / 1e6 }, false},
	{"Live heap for each partition that the cluster began with, bytes", "%.0f", heapEach, false},
	{"Resident memory, MB: at its peak during the scenario", "%.0f", residentMB, false},
}

// section is a table.
type section struct {
	title string
	head  []string
	rows  [][]string
}

// report makes the tables: what was to be reached, then all medians, and how many times Baton's the others' are.
func report(all []result) []section {
	if len(all) == 0 {
		return nil
	}
	who := names(all)
	out := []section{goals(all), loads(all)}
	for _, c := range columns {
		s := section{title: c.title, head: append([]string{"cluster", "scenario"}, who...)}
		for _, n := range who[:len(who)-1] {
			s.head = append(s.head, n+"/"+who[len(who)-1])
		}
		for _, k := range rows(all) {
			last, _, reached := median(all, k, who[len(who)-1], c.field)
			some := false
			line := []string{k.size, k.scenario}
			var ratios []string
			for i, n := range who {
				v, worst, has := median(all, k, n, c.field)
				some = some || has
				cell, ratio := "-", "-"
				if has {
					cell = fmt.Sprintf(c.format, v)
				}
				if has && c.worst {
					cell += fmt.Sprintf(" ("+c.format+")", worst)
				}
				if has && reached {
					ratio = fmt.Sprintf("%.1f", v/last)
				}
				line = append(line, cell)
				if i < len(who)-1 {
					ratios = append(ratios, ratio)
				}
			}
			if some {
				s.rows = append(s.rows, append(line, ratios...))
			}
		}
		if len(s.rows) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// loads says how busy the machine was before each run: with much else to do, seconds say little.
func loads(all []result) section {
	who := names(all)
	s := section{title: "Load average before each run", head: append([]string{"cluster"}, who...)}
	for _, size := range sizes(all) {
		line := []string{size}
		for _, n := range who {
			var cells []string
			last := 0
			for _, r := range all {
				if r.Size == size && r.Contender == n && r.Run != last {
					last = r.Run
					cells = append(cells, fmt.Sprintf("%.2f", r.Load))
				}
			}
			line = append(line, strings.Join(cells, " "))
		}
		s.rows = append(s.rows, line)
	}
	return s
}

// text writes tables for a terminal.
func text(w io.Writer, of []section) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range of {
		_, _ = fmt.Fprintf(t, "\n%s\n%s\n", s.title, strings.Join(s.head, "\t"))
		for _, r := range s.rows {
			_, _ = fmt.Fprintln(t, strings.Join(r, "\t"))
		}
	}
	return t.Flush()
}

const (
	pageBegin = "<!-- figures -->"
	pageEnd   = "<!-- end of figures -->"
)

// markdown writes the same for a page.
func markdown(of []section) []byte {
	var b bytes.Buffer
	for _, s := range of {
		fmt.Fprintf(&b, "\n**%s**\n\n| %s |\n|%s\n", s.title, strings.Join(s.head, " | "), strings.Repeat("---|", len(s.head)))
		for _, r := range s.rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(r, " | "))
		}
	}
	return b.Bytes()
}

// page puts the tables into a Markdown file, if it has a name.
func page(name string, all []result) error {
	if name == "" {
		return nil
	}
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, begins := bytes.Cut(old, []byte(pageBegin+"\n"))
	_, after, ends := bytes.Cut(rest, []byte(pageEnd))
	if !begins || !ends {
		return fmt.Errorf("%s: %w", name, errors.New("expected the lines "+pageBegin+" and "+pageEnd))
	}
	return os.WriteFile(name, slices.Concat(before, []byte(pageBegin+"\n"), markdown(report(all)), []byte("\n"+pageEnd), after), 0o644)
}
