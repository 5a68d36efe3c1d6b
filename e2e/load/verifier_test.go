package load

import (
	"encoding/binary"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestVerifierNotices replays partitions as they must and must not be found.
func TestVerifierNotices(t *testing.T) {
	target := Target{"t", 0}
	written := Written{Producer: 7, Acked: map[Target]map[uint64]int64{target: {0: 10, 1: 11, 2: 12}}}
	type found struct{ seq, offset int64 }
	for name, test := range map[string]struct {
		found []found
		want  Report
	}{
		"all there":        {[]found{{0, 10}, {1, 11}, {2, 12}}, Report{Read: 3}},
		"one never acked":  {[]found{{0, 10}, {1, 11}, {2, 12}, {3, 13}}, Report{Read: 4, Unacked: 1}},
		"the last lost":    {[]found{{0, 10}, {1, 11}}, Report{Read: 2, Lost: 1}},
		"everything lost":  {nil, Report{Lost: 3}},
		"one twice":        {[]found{{0, 10}, {1, 11}, {1, 12}, {2, 12}}, Report{Read: 4, Duplicated: 1}},
		"two exchanged":    {[]found{{0, 10}, {2, 12}, {1, 11}}, Report{Read: 3, Disordered: 1}},
		"at another place": {[]found{{0, 10}, {1, 11}, {2, 13}}, Report{Read: 3, Misplaced: 1}},
	} {
		v := verifier{report: &Report{}, writers: map[uint64]Written{7: written},
			seen: map[seenKey]map[uint64]int64{{7, target}: {}}}
		for _, f := range test.found {
			value := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, 7), uint64(f.seq))
			v.record(&kgo.Record{Topic: "t", Partition: 0, Offset: f.offset, Value: value})
		}
		v.record(&kgo.Record{Topic: "t", Value: []byte("somebody else's")})
		v.findLost()
		got := *v.report
		if got.OK() != (len(got.Examples) == 0) {
			t.Errorf("%s: OK %v with examples %q", name, got.OK(), got.Examples)
		}
		got.Examples = nil
		test.want.Acked = got.Acked
		if got.String() != test.want.String() {
			t.Errorf("%s:\n got %s\nwant %s", name, got, test.want)
		}
	}
}
