package server

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterReplicaLogDirs, v0-2: addressed to one node, and Baton has no directory to move
// anything to. Passing it on would move another node's replicas.
func alterReplicaLogDirsAPI() api {
	return api{key: keyAlterReplicaLogDirs, inspect: true, max: 2, active: typed(alterReplicaLogDirs), standby: typed(alterReplicaLogDirs)}
}

func alterReplicaLogDirs(_ context.Context, _ *request, req *kmsg.AlterReplicaLogDirsRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.AlterReplicaLogDirsResponse](req)
	resp.Topics = []kmsg.AlterReplicaLogDirsResponseTopic{}
	for _, d := range req.Dirs {
		for _, t := range d.Topics {
			out := kmsg.NewAlterReplicaLogDirsResponseTopic()
			out.Topic, out.Partitions = t.Topic, []kmsg.AlterReplicaLogDirsResponseTopicPartition{}
			for _, n := range t.Partitions {
				p := kmsg.NewAlterReplicaLogDirsResponseTopicPartition()
				p.Partition, p.ErrorCode = n, kerr.LogDirNotFound.Code
				out.Partitions = append(out.Partitions, p)
			}
			resp.Topics = append(resp.Topics, out)
		}
	}
	return resp, nil
}
