package wire

import (
	"encoding/binary"
	"errors"
)

// A layout spells the body of a flexible message, as far as is needed to find its
// lengths and counts:
//
//	1 2 4 8 u   a field of that many bytes; u is a UUID
//	s           a compact string or bytes, nullable or not
//	{x}         a compact array of plain fields
//	(…)         a compact array of structs, each closed by a tag section
//
// The body itself is closed by a tag section. Every count is checked against the bytes
// that are left before the decoder sees it: kmsg loops over the claimed number of
// tagged fields even when the bytes have run out, so fifteen bytes from anybody could
// keep a processor busy for minutes.

var (
	errTags  = errors.New("more tagged fields than bytes")
	errCount = errors.New("a length or count beyond the bytes")
)

// requestLayout returns the layout of a flexible version of a request that is served.
func requestLayout(key, version int16) string {
	switch key {
	case Metadata:
		return pick(version, 9, "(s)111", "(us)111", "(us)11")
	case LeaderAndIsr:
		const live = "(4s4)"
		return pick(version, 4,
			"448(s(4444{4}4{4}{4}{4}1))"+live,
			"4481(su(4444{4}4{4}{4}{4}1))"+live,
			"4481(su(4444{4}4{4}{4}{4}11))"+live,
			"41481(su(4444{4}4{4}{4}{4}11))"+live)
	case StopReplica:
		return pick(version, 2, "4481(s{4})", "448(s(441))", "4148(s(441))")
	case UpdateMetadata:
		const live = "(4(4ss2)s)"
		return pick(version, 6,
			"448(s(4444{4}4{4}{4}))"+live,
			"448(su(4444{4}4{4}{4}))"+live,
			"4148(su(4444{4}4{4}{4}))"+live)
	case ControlledShutdown, AllocateProducerIDs:
		return "48"
	case FindCoordinator:
		return pick(version, 3, "s1", "1{s}")
	case ApiVersions:
		return "ss"
	case CreateTopics:
		return "(s42(4{4})(ss))41"
	case DeleteTopics:
		return pick(version, 4, "{s}4", "{s}4", "(su)4")
	case InitProducerID:
		return pick(version, 2, "s4", "s482")
	case CreatePartitions:
		return "(s4({4}))41"
	case ElectLeaders:
		return "1(s{4})4"
	case AlterPartitionReassignments:
		return "4(s(4{4}))"
	case ListPartitionReassignments:
		return "4(s{4})"
	case AlterUserScramCredentials:
		return "(s1)(s14ss)"
	case AlterPartition:
		return pick(version, 0, "48(s(44{4}4))", "48(s(44{4}14))", "48(u(44{4}14))", "48(u(44(48)14))")
	case UpdateFeatures:
		return pick(version, 0, "4(s21)", "4(s21)1")
	case DescribeCluster:
		return pick(version, 0, "1", "11")
	}
	return ""
}

// responseLayout returns the layout of a flexible version of the answers that brokers
// give to us.
func responseLayout(key, version int16) string {
	switch key {
	case LeaderAndIsr:
		return pick(version, 4, "2(s42)", "2(u(42))")
	case StopReplica:
		return "2(s42)"
	case UpdateMetadata:
		return "2"
	case ApiVersions:
		return "2(222)4"
	}
	return ""
}

// pick returns the layout of a version, given those from version first on; the last
// one holds for all that follow.
func pick(version, first int16, layouts ...string) string {
	return layouts[min(int(version-first), len(layouts)-1)]
}

// checkLayout reports whether body has the structure of layout. Bytes after the end
// are left alone, as Kafka does.
func checkLayout(layout string, body []byte) error {
	w := walker{b: body}
	w.fields(layout)
	w.tags()
	return w.err
}

// walker steps over a body; after an error it stays where it is.
type walker struct {
	b   []byte
	err error
}

// fields steps over one struct's fields, without its tag section.
func (w *walker) fields(layout string) {
	for i := 0; i < len(layout) && w.err == nil; i++ {
		switch c := layout[i]; c {
		case '1', '2', '4', '8':
			w.skip(uint64(c - '0'))
		case 'u':
			w.skip(16)
		case 's':
			if n := w.uvarint(); n > 0 {
				w.skip(n - 1)
			}
		case '{', '(':
			end := i + closing(layout[i:])
			w.array(layout[i+1:end], c == '(')
			i = end
		}
	}
}

// array steps over a compact array; zero is null and one is empty.
func (w *walker) array(element string, structs bool) {
	n := w.uvarint()
	if n == 0 {
		return
	}
	// Every element has at least one byte.
	if n--; n > uint64(len(w.b)) {
		w.fail(errCount)
	}
	for ; n > 0 && w.err == nil; n-- {
		w.fields(element)
		if structs {
			w.tags()
		}
	}
}

// tags steps over a tag section.
func (w *walker) tags() {
	n := w.uvarint()
	// Every tagged field has at least a key and a size.
	if n > uint64(len(w.b)/2) {
		w.fail(errTags)
	}
	for ; n > 0 && w.err == nil; n-- {
		w.uvarint()
		w.skip(w.uvarint())
	}
}

func (w *walker) uvarint() uint64 {
	if w.err != nil {
		return 0
	}
	v, n := binary.Uvarint(w.b)
	if n <= 0 || n > 5 {
		w.fail(errShort)
		return 0
	}
	w.b = w.b[n:]
	return v
}

func (w *walker) skip(n uint64) {
	if n > uint64(len(w.b)) {
		w.fail(errCount)
		return
	}
	w.b = w.b[n:]
}

func (w *walker) fail(err error) {
	if w.err == nil {
		w.err = err
	}
	w.b = nil
}

// closing returns the index of the bracket that closes s[0].
func closing(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '{', '(':
			depth++
		case '}', ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(s) - 1
}

// skipTags steps over a header's tag section.
func skipTags(b []byte) ([]byte, error) {
	w := walker{b: b}
	w.tags()
	return w.b, w.err
}
