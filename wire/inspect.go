package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// inspected is what Baton decodes besides what it serves wholly: APIs that clients send
// to any node or to every node, of which some requests mean Baton itself. max is Kafka
// 3.9's; layout belongs to the flexible versions.
var inspected = map[int16]struct {
	max    int16
	layout string
}{
	16: {5, ""},           // ListGroups: nothing of it is read
	32: {4, "(1s{s})11"},  // DescribeConfigs
	33: {2, "(1s(ss))1"},  // AlterConfigs
	34: {2, "(s(s{4}))"},  // AlterReplicaLogDirs
	35: {4, ""},           // DescribeLogDirs: nothing of it is read
	44: {1, "(1s(s1s))1"}, // IncrementalAlterConfigs
	61: {0, "(s{4})"},     // DescribeProducers
	66: {1, ""},           // ListTransactions: nothing of it is read
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
	if in.layout == "" {
		return r, nil
	}
	if Flexible(key, version) {
		if err := checkLayout(in.layout, body); err != nil {
			return nil, &MalformedError{Key: key, Version: version, Cause: err}
		}
	}
	if err := guard(r.ReadFrom, body); err != nil {
		return nil, &MalformedError{Key: key, Version: version, Cause: err}
	}
	return r, nil
}
