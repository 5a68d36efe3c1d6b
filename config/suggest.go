package config

// maxTypos is the largest edit distance at which a known key is offered for an unknown one.
const maxTypos = 2

// suggest returns the known key nearest to an unknown one, "" if none is within maxTypos edits. Keys that Baton
// honours win over a broker's at the same distance, then the alphabet decides.
func suggest(key string) string {
	best, bestDistance := "", maxTypos+1
	consider := func(candidate string) {
		if d := distance(key, candidate, bestDistance-1); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	for _, s := range specs {
		consider(s.key)
	}
	for _, k := range brokerKeyList {
		consider(k)
	}
	return best
}

// distance is the Levenshtein distance of a and b, or limit+1 if it is more than limit. Lengths are compared first, so
// that a key of a megabyte costs nothing.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], limit+1)
}
