package topicconfig_test

import (
	"testing"

	"baton/config"
	"baton/topicconfig"
)

// message.format.version and inter.broker.protocol.version share one list of versions in Kafka. The packages do not
// share code, so this holds the two lists together.
func TestFormatVersionsAreProtocolVersions(t *testing.T) {
	for v := config.IBP(0); v <= config.LatestIBP; v++ {
		s := v.String()
		if err := topicconfig.Validate(map[string]*string{"message.format.version": &s}, topicconfig.Inherited{}); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"2.5-IV1", "3.9-IV1", "4.0", "0.10", "2.4-IV01", "1"} {
		if err := topicconfig.Validate(map[string]*string{"message.format.version": &s}, topicconfig.Inherited{}); err == nil {
			t.Errorf("%s accepted", s)
		}
		if _, err := config.ParseIBP(s); err == nil {
			t.Errorf("%s accepted as a protocol", s)
		}
	}
}
