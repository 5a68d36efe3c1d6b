package server

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// UpdateMetadata, v0-8: as LeaderAndIsr. Baton's picture comes from ZooKeeper, never
// from here.
func updateMetadataAPI() api {
	return api{key: keyUpdateMetadata, max: 8, active: typed(updateMetadata), standby: typed(updateMetadata), limit: 16 << 20}
}

func updateMetadata(_ context.Context, _ *request, req *kmsg.UpdateMetadataRequest) (kmsg.Response, error) {
	return respond[*kmsg.UpdateMetadataResponse](req), nil
}
