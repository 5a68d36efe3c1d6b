package server

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeLogDirs, v0-4: tools ask every node. One directory without a topic is named,
// because Java's AdminClient takes an answer without directories for a refusal
// (CLUSTER_AUTHORIZATION_FAILED) and fails for all nodes.
func describeLogDirsAPI() api {
	return api{key: keyDescribeLogDirs, inspect: true, max: 4, active: typed(describeLogDirs), standby: typed(describeLogDirs)}
}

func describeLogDirs(_ context.Context, _ *request, req *kmsg.DescribeLogDirsRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.DescribeLogDirsResponse](req)
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir, dir.Topics = "baton-has-no-log", []kmsg.DescribeLogDirsResponseDirTopic{}
	dir.TotalBytes, dir.UsableBytes = -1, -1
	resp.Dirs = []kmsg.DescribeLogDirsResponseDir{dir}
	return resp, nil
}
