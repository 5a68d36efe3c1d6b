package server_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The fields in which a comparison with real brokers found us different.
func TestMetadataOfWhatIsNotThereIsABrokers(t *testing.T) {
	r := newRig(t, 1, nil)
	p := r.dial(t)
	req := metadataFor(9, "no/such")
	req.IncludeTopicAuthorizedOperations = true
	if got := ask[*kmsg.MetadataResponse](p, req).Topics[0].AuthorizedOperations; got != 3576 {
		t.Errorf("operations of a topic that cannot be: %d", got)
	}
	byID := kmsg.NewPtrMetadataRequest()
	byID.Version = 10
	byID.Topics = []kmsg.MetadataRequestTopic{{TopicID: [16]byte{1, 2, 3}}}
	if got := ask[*kmsg.MetadataResponse](p, byID).Topics[0]; got.ErrorCode != 42 || got.TopicID != [16]byte{1, 2, 3} {
		t.Errorf("an id below v12 is answered with %+v", got)
	}
}

func TestDescribeClusterRefusesInKafkasWords(t *testing.T) {
	r := newRig(t, 1, nil)
	for kind, want := range map[int8]string{
		2: "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER",
		9: "Unsupported endpoint type 9",
	} {
		req := kmsg.NewPtrDescribeClusterRequest()
		req.Version, req.EndpointType = 1, kind
		if got := ask[*kmsg.DescribeClusterResponse](r.dial(t), req).ErrorMessage; got == nil || *got != want {
			t.Errorf("endpoint type %d: %v", kind, got)
		}
	}
}
