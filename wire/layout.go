package wire

import (
	"encoding/binary"
	"errors"
)

// A layout spells the body of one version of a message, as far as is needed to find
// its lengths and counts:
//
//	1 2 4 8 u   a field of that many bytes; u is a UUID
//	s           a string or bytes, nullable or not
//	{x}         an array of plain fields
//	(…)         an array of structs
//
// In flexible versions lengths and counts are compact, and every struct of an array
// and the body itself are closed by a section of tagged fields.
//
// Every count is checked against the bytes that are there before the decoder sees it.
// kmsg loops over the claimed number of tagged fields even when the bytes have run out,
// so fifteen bytes from anybody could keep a processor busy for minutes; and it
// allocates as many structs as there are bytes left if an array says so, which makes
// gigabytes of a frame within its bound.

// maxString is the longest string that Kafka reads, also where its length has more than two
// bytes.
const maxString = 1<<15 - 1

var (
	errTags  = errors.New("more tagged fields than bytes")
	errCount = errors.New("a length or count beyond the bytes")
)

// requestLayout returns the layout of a request that is served, "" for those without
// a field.
func requestLayout(key, version int16) string {
	switch key {
	case Metadata:
		return pick(version, "(s)", "(s)", "(s)", "(s)", "(s)1", "(s)1", "(s)1", "(s)1", "(s)111", "(s)111", "(us)111", "(us)11")
	case LeaderAndIsr:
		return pick(version,
			"44(s4444{4}4{4})(4s4)",
			"44(s4444{4}4{4}1)(4s4)",
			"448(s(4444{4}4{4}1))(4s4)",
			"448(s(4444{4}4{4}{4}{4}1))(4s4)",
			"448(s(4444{4}4{4}{4}{4}1))(4s4)",
			"4481(su(4444{4}4{4}{4}{4}1))(4s4)",
			"4481(su(4444{4}4{4}{4}{4}11))(4s4)",
			"41481(su(4444{4}4{4}{4}{4}11))(4s4)")
	case StopReplica:
		return pick(version, "441(s4)", "4481(s{4})", "4481(s{4})", "448(s(441))", "4148(s(441))")
	case UpdateMetadata:
		return pick(version,
			"44(s4444{4}4{4})(4s4)",
			"44(s4444{4}4{4})(4(4s2))",
			"44(s4444{4}4{4})(4(4s2)s)",
			"44(s4444{4}4{4})(4(4ss2)s)",
			"44(s4444{4}4{4}{4})(4(4ss2)s)",
			"448(s(4444{4}4{4}{4}))(4(4ss2)s)",
			"448(s(4444{4}4{4}{4}))(4(4ss2)s)",
			"448(su(4444{4}4{4}{4}))(4(4ss2)s)",
			"4148(su(4444{4}4{4}{4}))(4(4ss2)s)")
	case ControlledShutdown:
		return pick(version, "4", "4", "48")
	case AllocateProducerIDs:
		return "48"
	case FindCoordinator:
		return pick(version, "s", "s1", "s1", "s1", "1{s}")
	case ApiVersions:
		return pick(version, "", "", "", "ss")
	case CreateTopics:
		return pick(version, "(s42(4{4})(ss))4", "(s42(4{4})(ss))41")
	case DeleteTopics:
		return pick(version, "{s}4", "{s}4", "{s}4", "{s}4", "{s}4", "{s}4", "(su)4")
	case InitProducerID:
		return pick(version, "s4", "s4", "s4", "s482")
	case CreatePartitions:
		return "(s4({4}))41"
	case ElectLeaders:
		return pick(version, "(s{4})4", "1(s{4})4")
	case AlterPartitionReassignments:
		return "4(s(4{4}))"
	case ListPartitionReassignments:
		return "4(s{4})"
	case AlterUserScramCredentials:
		return "(s1)(s14ss)"
	case AlterPartition:
		return pick(version, "48(s(44{4}4))", "48(s(44{4}14))", "48(u(44{4}14))", "48(u(44(48)14))")
	case UpdateFeatures:
		return pick(version, "4(s21)", "4(s21)1")
	case DescribeCluster:
		return pick(version, "1", "11")
	}
	return ""
}

// responseLayout returns the layout of the answers that brokers give to us, false for
// those of other requests.
func responseLayout(key, version int16) (string, bool) {
	switch key {
	case LeaderAndIsr:
		return pick(version, "2(s42)", "2(s42)", "2(s42)", "2(s42)", "2(s42)", "2(u(42))"), true
	case StopReplica:
		return "2(s42)", true
	case UpdateMetadata:
		return "2", true
	case ApiVersions:
		return pick(version, "2(222)", "2(222)4"), true
	}
	return "", false
}

// pick returns the layout of a version, given those from version 0 on; the last one
// holds for all that follow.
func pick(version int16, layouts ...string) string {
	return layouts[min(int(version), len(layouts)-1)]
}

// checkLayout reports whether body has the structure of layout. Bytes after the end
// are left alone, as Kafka does.
func checkLayout(layout string, flexible bool, body []byte) error {
	w := walker{b: body, flexible: flexible}
	w.fields(layout)
	w.tags()
	return w.err
}

// walker steps over a body; after an error it stays where it is.
type walker struct {
	b        []byte
	flexible bool
	err      error
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
			n := w.length(2)
			if n > maxString {
				w.fail(errCount)
			}
			w.skip(n)
		case '{', '(':
			end := i + closing(layout[i:])
			w.array(layout[i+1:end], c == '(')
			i = end
		}
	}
}

// array steps over an array.
func (w *walker) array(element string, structs bool) {
	n := w.length(4)
	// Every element has at least one byte.
	if n > uint64(len(w.b)) {
		w.fail(errCount)
	}
	for ; n > 0 && w.err == nil; n-- {
		w.fields(element)
		if structs {
			w.tags()
		}
	}
}

// length reads the length of a string or the count of an array, null being none. In
// versions that are not flexible it has that many bytes.
func (w *walker) length(bytes int) uint64 {
	if w.flexible {
		return max(w.uvarint(), 1) - 1
	}
	if len(w.b) < bytes {
		w.fail(errShort)
		return 0
	}
	n := int32(int16(binary.BigEndian.Uint16(w.b)))
	if bytes == 4 {
		n = int32(binary.BigEndian.Uint32(w.b))
	}
	w.b = w.b[bytes:]
	return uint64(max(n, 0))
}

// tags steps over a section of tagged fields.
func (w *walker) tags() {
	if !w.flexible {
		return
	}
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
	w := walker{b: b, flexible: true}
	w.tags()
	return w.b, w.err
}
