package cluster

import (
	"iter"
	"math/bits"
	"slices"
)

// Slots is a set of partitions by their slots: a bit each, so that a set of all partitions of a large cluster takes some kilobytes,
// and what is in one set but not in another is found 64 at a time. The zero value is empty. A copy shares the bits; see Clone.
type Slots struct {
	words []uint64
	used  []uint64 // a bit for each of words that is not 0
	n     int
}

// Len returns how many slots are in the set.
func (s *Slots) Len() int { return s.n }

// Has reports whether a slot is in the set.
func (s *Slots) Has(slot int32) bool {
	w := int(slot >> 6)
	return w < len(s.words) && s.words[w]&(1<<(slot&63)) != 0
}

// Add puts a slot into the set.
func (s *Slots) Add(slot int32) {
	w := int(slot >> 6)
	s.grow(w + 1)
	if bit := uint64(1) << (slot & 63); s.words[w]&bit == 0 {
		s.words[w] |= bit
		s.used[w>>6] |= 1 << (w & 63)
		s.n++
	}
}

// Remove takes a slot out of the set.
func (s *Slots) Remove(slot int32) {
	if s.Has(slot) {
		s.set(int(slot>>6), s.words[slot>>6]&^(1<<(slot&63)))
	}
}

// AddAll puts all slots of o into the set.
func (s *Slots) AddAll(o *Slots) {
	s.grow(len(o.words))
	for w := range o.usedWords() {
		s.set(w, s.words[w]|o.words[w])
	}
}

// RemoveAll takes all slots of o out of the set.
func (s *Slots) RemoveAll(o *Slots) {
	for w := range s.usedWords() {
		if w < len(o.words) {
			s.set(w, s.words[w]&^o.words[w])
		}
	}
}

// Meets reports whether the sets have a slot in common.
func (s *Slots) Meets(o *Slots) bool {
	for w := range s.usedWords() {
		if w < len(o.words) && s.words[w]&o.words[w] != 0 {
			return true
		}
	}
	return false
}

// Equal reports whether both sets have the same slots.
func (s *Slots) Equal(o *Slots) bool {
	if s.n != o.n {
		return false
	}
	for w := range s.usedWords() {
		if w >= len(o.words) || s.words[w] != o.words[w] {
			return false
		}
	}
	return true
}

// Clone returns a set of its own with the same slots.
func (s *Slots) Clone() Slots {
	return Slots{words: slices.Clone(s.words), used: slices.Clone(s.used), n: s.n}
}

// All goes through the slots in ascending order. The set may be changed meanwhile; what is added behind the current slot may or may not
// be met.
func (s *Slots) All() iter.Seq[int32] { return s.AllBut(&Slots{}) }

// AllBut goes through the slots that are not in o, in ascending order; others cost next to nothing.
func (s *Slots) AllBut(o *Slots) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for w := range s.usedWords() {
			rest := s.words[w]
			if w < len(o.words) {
				rest &^= o.words[w]
			}
			for ; rest != 0; rest &= rest - 1 {
				if !yield(int32(w<<6 + bits.TrailingZeros64(rest))) { //nolint:gosec // a slot
					return
				}
			}
		}
	}
}

// first returns the lowest slot of a set that is not empty.
func (s *Slots) first() int32 {
	u := slices.IndexFunc(s.used, func(word uint64) bool { return word != 0 })
	w := u<<6 + bits.TrailingZeros64(s.used[u])
	return int32(w<<6 + bits.TrailingZeros64(s.words[w])) //nolint:gosec // a slot
}

// usedWords goes through the indexes of the words that are not 0.
func (s *Slots) usedWords() iter.Seq[int] {
	return func(yield func(int) bool) {
		for u, rest := range s.used {
			for ; rest != 0; rest &= rest - 1 {
				if !yield(u<<6 + bits.TrailingZeros64(rest)) {
					return
				}
			}
		}
	}
}

func (s *Slots) set(w int, word uint64) {
	s.n += bits.OnesCount64(word) - bits.OnesCount64(s.words[w])
	s.words[w] = word
	if word == 0 {
		s.used[w>>6] &^= 1 << (w & 63)
	} else {
		s.used[w>>6] |= 1 << (w & 63)
	}
}

func (s *Slots) grow(words int) {
	if n := words - len(s.words); n > 0 {
		s.words = append(s.words, make([]uint64, n)...)
		s.used = append(s.used, make([]uint64, (words+63)>>6-len(s.used))...)
	}
}
