package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// result is one figure of one contender.
type result struct {
	Contender     string  `json:"contender"`
	Size          string  `json:"size"`
	Scenario      string  `json:"scenario"`
	Seconds       float64 `json:"seconds,omitempty"`
	ControllerCPU float64 `json:"controller_cpu_seconds,omitempty"`
	ZooKeeperCPU  float64 `json:"zookeeper_cpu_seconds,omitempty"`
	Requests      int64   `json:"zookeeper_requests,omitempty"`
	Bytes         int64   `json:"bytes_to_brokers,omitempty"`
	RSS           int64   `json:"rss_bytes,omitempty"`
	PeakRSS       int64   `json:"peak_rss_bytes,omitempty"`
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
	return out
}

// median of what a field of the results of one contender in one row is; false without a result.
func median(all []result, k row, who string, field func(result) float64) (float64, bool) {
	var v []float64
	for _, r := range all {
		if r.Size == k.size && r.Scenario == k.scenario && r.Contender == who {
			v = append(v, field(r))
		}
	}
	if len(v) == 0 {
		return 0, false
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2, true
	}
	return v[len(v)/2], true
}

func seconds(r result) float64 { return r.Seconds }

func cpuSeconds(r result) float64 { return r.ControllerCPU + r.ZooKeeperCPU }

func requests(r result) float64 { return float64(r.Requests) }

func megabytes(r result) float64 { return float64(r.Bytes) / 1e6 }

func peak(r result) float64 { return float64(r.PeakRSS) / 1e6 }

// table writes medians, and how many times Baton's the others' are.
func table(w io.Writer, all []result, names []string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, column := range []struct {
		title, format string
		field         func(result) float64
	}{{"seconds", "%.3f", seconds}, {"CPU seconds of controller and ZooKeeper", "%.2f", cpuSeconds}, {"requests to ZooKeeper", "%.0f", requests},
		{"MB to brokers", "%.1f", megabytes}, {"peak RSS, MB", "%.0f", peak}} {
		_, _ = fmt.Fprintf(t, "\n%s\t\t", column.title)
		for _, n := range names {
			_, _ = fmt.Fprintf(t, "%s\t", n)
		}
		for _, n := range names[:len(names)-1] {
			_, _ = fmt.Fprintf(t, "%s/%s\t", n, names[len(names)-1])
		}
		_, _ = fmt.Fprintln(t)
		for _, k := range rows(all) {
			last, ok := median(all, k, names[len(names)-1], column.field)
			some := false
			line := fmt.Sprintf("%s\t%s\t", k.size, k.scenario)
			var ratios string
			for i, n := range names {
				v, has := median(all, k, n, column.field)
				some = some || v > 0
				cell, ratio := "-", "-"
				if has {
					cell = fmt.Sprintf(column.format, v)
				}
				if has && ok && last > 0 {
					ratio = fmt.Sprintf("%.1f", v/last)
				}
				line += cell + "\t"
				if i < len(names)-1 {
					ratios += ratio + "\t"
				}
			}
			if some {
				_, _ = fmt.Fprintln(t, line+ratios)
			}
		}
	}
	return t.Flush()
}
