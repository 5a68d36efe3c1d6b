package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// inspected is what Baton decodes besides what it serves wholly: APIs that clients send
// to any node or to every node, of which some requests mean Baton itself. max is Kafka
// 3.9's.
var inspected = map[int16]struct {
	max     int16
	layouts []string // by version, the last one holds for all that follow
}{
	16: {5, nil},                                                      // ListGroups: nothing of it is read
	32: {4, []string{"(1s{s})", "(1s{s})1", "(1s{s})1", "(1s{s})11"}}, // DescribeConfigs
	33: {2, []string{"(1s(ss))1"}},                                    // AlterConfigs
	34: {2, []string{"(s(s{4}))"}},                                    // AlterReplicaLogDirs
	35: {4, nil},                                                      // DescribeLogDirs: nothing of it is read
	44: {1, []string{"(1s(s1s))1"}},                                   // IncrementalAlterConfigs
	61: {0, []string{"(s{4})"}},                                       // DescribeProducers
	66: {1, nil},                                                      // ListTransactions: nothing of it is read
}

// InspectRequest decodes a request that is served only where it is about Baton itself.
// The body of an API of which nothing is read is left alone.
func InspectRequest(key, version int16, body []byte) (kmsg.Request, error) {
	in, ok := inspected[key]
	if !ok || version < 0 || version > in.max {
		return nil, &UnsupportedError{Key: key, Version: version}
	}
	r := kmsg.RequestForKey(key)
	r.SetVersion(version)
	if in.layouts == nil {
		return r, nil
	}
	layout := in.layouts[min(int(version), len(in.layouts)-1)]
	if err := checkLayout(layout, Flexible(key, version), body); err != nil {
		return nil, &MalformedError{Key: key, Version: version, Cause: err}
	}
	if err := guard(r.ReadFrom, body); err != nil {
		return nil, &MalformedError{Key: key, Version: version, Cause: err}
	}
	return r, nil
}
