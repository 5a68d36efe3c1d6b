package normal

import (
	"slices"
	"strings"
)

// Diff shows the lines in which two texts differ, with those that they share: - of the first alone, + of the second.
func Diff(a, b string) string {
	as, bs := strings.Split(strings.TrimSuffix(a, "\n"), "\n"), strings.Split(strings.TrimSuffix(b, "\n"), "\n")
	// common[i][j] is the length of the longest common subsequence of as[i:] and bs[j:].
	common := make([][]int, len(as)+1)
	for i := range common {
		common[i] = make([]int, len(bs)+1)
	}
	for i := len(as) - 1; i >= 0; i-- {
		for j := len(bs) - 1; j >= 0; j-- {
			if as[i] == bs[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var lines []string
	for i, j := 0, 0; i < len(as) || j < len(bs); {
		switch {
		case i < len(as) && j < len(bs) && as[i] == bs[j]:
			lines = append(lines, "  "+as[i])
			i, j = i+1, j+1
		case j == len(bs) || i < len(as) && common[i+1][j] >= common[i][j+1]:
			lines = append(lines, "- "+as[i])
			i++
		default:
			lines = append(lines, "+ "+bs[j])
			j++
		}
	}
	return strings.Join(around(lines), "\n")
}

// around leaves out lines that are the same and far from one that is not.
func around(lines []string) (near []string) {
	const context = 3
	last := -1
	for i, line := range lines {
		window := lines[max(0, i-context):min(len(lines), i+context+1)]
		if !slices.ContainsFunc(window, func(l string) bool { return l[0] != ' ' }) {
			continue
		}
		if i > last+1 {
			near = append(near, "  …")
		}
		near, last = append(near, line), i
	}
	return near
}
