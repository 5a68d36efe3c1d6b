package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

const (
	barHeight, barGap, groupGap = 14, 2, 16
	labels, plotWidth, margin   = 300, 560, 20
)

var colours = []string{"#8a8f98", "#c9a227", "#2f6f8f"} // in the order of the contenders

// plot draws the medians of the scenarios' seconds as bars on a logarithmic scale: the shorter the better.
func plot(w io.Writer, all []result) error {
	names := names(all)
	groups := slices.DeleteFunc(rows(all), func(k row) bool { return !plotted(all, k) })
	most, least := 0.0, math.Inf(1)
	for _, k := range groups {
		for _, n := range names {
			if v, _, ok := median(all, k, n, seconds); ok {
				most, least = max(most, v), min(least, v)
			}
		}
	}
	if most == 0 {
		return nil
	}
	low := math.Floor(math.Log10(max(least, 1e-3)))
	scale := plotWidth / (math.Log10(most) - low)
	x := func(v float64) float64 { return labels + max(1, (math.Log10(max(v, 1e-3))-low)*scale) }
	height := margin*3 + len(groups)*(len(names)*(barHeight+barGap)+groupGap)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", labels+plotWidth+100, height)
	b.WriteString(`<rect width="100%" height="100%" fill="#fff"/>` + "\n")
	for i, n := range names {
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="10" height="10" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n",
			labels+i*90, margin-10, colours[i%len(colours)], labels+i*90+14, margin-1, n)
	}
	y := 2 * margin
	for _, k := range groups {
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s, %s</text>`+"\n", labels-8, y+barHeight, k.scenario, k.size)
		for i, n := range names {
			if v, _, ok := median(all, k, n, seconds); ok {
				fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/><text x="%.1f" y="%d">%.3f s</text>`+"\n",
					labels, y, x(v)-labels, barHeight, colours[i%len(colours)], x(v)+4, y+barHeight-3, v)
			}
			y += barHeight + barGap
		}
		y += groupGap
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// plotted leaves milestones out.
func plotted(all []result, k row) bool {
	if strings.Contains(k.scenario, ",") && !strings.HasSuffix(k.scenario, "warm standby") && !strings.HasSuffix(k.scenario, "lost, p99") {
		return false
	}
	return slices.ContainsFunc(all, func(r result) bool { return r.Size == k.size && r.Scenario == k.scenario && r.Seconds > 0 })
}
