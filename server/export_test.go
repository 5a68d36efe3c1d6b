package server

// Table returns the versions of every API that is answered here, for tests that must not miss one.
func Table() map[int16][2]int16 {
	out := map[int16][2]int16{}
	for _, a := range apiTable() {
		out[a.key] = [2]int16{a.min, a.max}
	}
	return out
}
