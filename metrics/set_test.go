package metrics

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
)

func newSet(t *testing.T, labels map[string]string) (*Set, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	s, err := New(reg, labels, Build{"1.0", "abc", "go1"})
	if err != nil {
		t.Fatal(err)
	}
	return s, reg
}

// value reads one series; labels are name=value pairs that it must have, among others.
func value(t *testing.T, reg prometheus.Gatherer, name string, labels ...string) (float64, bool) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && hasLabels(m, labels) {
				return number(m), true
			}
		}
	}
	return 0, false
}

func hasLabels(m *dto.Metric, want []string) bool {
	for _, w := range want {
		if !slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName()+"="+l.GetValue() == w }) {
			return false
		}
	}
	return true
}

func number(m *dto.Metric) float64 {
	switch {
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Summary != nil:
		return float64(m.Summary.GetSampleCount())
	}
	return float64(m.Histogram.GetSampleCount())
}

func wantValue(t *testing.T, reg prometheus.Gatherer, want float64, name string, labels ...string) {
	t.Helper()
	if got, ok := value(t, reg, name, labels...); !ok || got != want {
		t.Errorf("%s%v = %v (there: %v), want %v", name, labels, got, ok, want)
	}
}

// TestKafkaNames: the names that people's rules and dashboards have. A change here breaks somebody's alert.
func TestKafkaNames(t *testing.T) {
	s, reg := newSet(t, nil)
	s.ChannelQueueSize(1, 0)
	s.RequestQueueTime(1, time.Millisecond)
	have := map[string]bool{}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		have[f.GetName()] = true
	}
	for group, names := range map[string]string{
		"kafka_controller_kafkacontroller_": "activecontrollercount offlinepartitionscount preferredreplicaimbalancecount controllerstate " +
			"globaltopiccount globalpartitioncount topicstodeletecount replicastodeletecount topicsineligibletodeletecount " +
			"replicasineligibletodeletecount activebrokercount fencedbrokercount zkmigrationstate",
		"kafka_controller_controllereventmanager_":   "eventqueuesize eventqueuetimems eventqueueprocessingtimems",
		"kafka_controller_controllerchannelmanager_": "totalqueuesize queuesize requestrateandqueuetimems",
		"kafka_controller_controllerstats_": "uncleanleaderelections_total leaderelectionrateandtimems topicchangerateandtimems " +
			"controlledshutdownrateandtimems isrchangerateandtimems controllerchangerateandtimems leaderandisrresponsereceivedrateandtimems logdirchangerateandtimems",
		"kafka_server_sessionexpirelistener_":  "zookeeperdisconnects_total zookeeperexpires_total zookeepersyncconnects_total zookeeperauthfailures_total",
		"kafka_server_zookeeperclientmetrics_": "zookeeperrequestlatencyms",
	} {
		for _, n := range strings.Fields(names) {
			if !have[group+n] {
				t.Errorf("%s%s is missing", group, n)
			}
		}
	}
	wantValue(t, reg, 4, "kafka_controller_kafkacontroller_zkmigrationstate")
}

func TestGaugesAreZeroUnlessActive(t *testing.T) {
	s, reg := newSet(t, nil)
	const p = "kafka_controller_kafkacontroller_"
	s.SetCounts(Counts{Topics: 3, Partitions: 9, Offline: 2, Brokers: 3, UnderMinISR: 1})
	wantValue(t, reg, 0, p+"globaltopiccount")
	s.SetRole(Active)
	wantValue(t, reg, 1, p+"activecontrollercount")
	wantValue(t, reg, 3, p+"globaltopiccount")
	wantValue(t, reg, 2, p+"offlinepartitionscount")
	wantValue(t, reg, 1, "baton_under_min_isr_partitions")
	wantValue(t, reg, 1, "baton_role", "role=active")
	s.SetRole(Held)
	for _, n := range []string{"activecontrollercount", "globaltopiccount", "offlinepartitionscount", "activebrokercount"} {
		wantValue(t, reg, 0, p+n)
	}
	wantValue(t, reg, 0, "baton_role", "role=active")
	wantValue(t, reg, 1, "baton_role", "role=held")
	wantValue(t, reg, 1, "baton_role_losses_total")
	s.SetRole(Standby)
	wantValue(t, reg, 1, "baton_role_losses_total")
}

func TestConstantLabelsAreOnEverything(t *testing.T) {
	s, reg := newSet(t, map[string]string{"env": "prod"})
	s.RequestDone("LeaderAndIsr", 1, time.Millisecond)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if !hasLabels(m, []string{"env=prod"}) {
				t.Errorf("%s lacks env=prod", f.GetName())
			}
		}
	}
}

func TestConstantLabelOfAMetricsOwnNameIsRefused(t *testing.T) {
	if _, err := New(prometheus.NewRegistry(), map[string]string{"broker": "x"}, Build{}); err == nil || !strings.Contains(err.Error(), "broker") {
		t.Errorf("error %v, want one that names the label", err)
	}
}

func TestSecondSetInOneRegistryFails(t *testing.T) {
	_, reg := newSet(t, nil)
	if _, err := New(reg, nil, Build{}); err == nil {
		t.Error("no error")
	}
}

func TestSeriesOfABrokerGoWithIt(t *testing.T) {
	s, reg := newSet(t, nil)
	for _, b := range []int32{1, 2} {
		s.ChannelQueueSize(b, 5)
		s.RequestQueueTime(b, time.Millisecond)
		s.Untold(b, 7)
		s.BrokerConnected(b, true)
		s.RequestDone("UpdateMetadata", b, time.Millisecond)
		s.RequestRetried("UpdateMetadata", b)
	}
	wantValue(t, reg, 10, "kafka_controller_controllerchannelmanager_totalqueuesize")
	s.ForgetBroker(1)
	wantValue(t, reg, 5, "kafka_controller_controllerchannelmanager_totalqueuesize")
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if hasLabels(m, []string{"broker=1"}) || hasLabels(m, []string{"broker_id=1"}) {
				t.Errorf("%s has a series of broker 1 still", f.GetName())
			}
		}
	}
	wantValue(t, reg, 7, "baton_untold_partitions", "broker=2")
}

func TestBadZnodesAreBounded(t *testing.T) {
	s, reg := newSet(t, nil)
	var paths []string
	for i := range 1000 {
		paths = append(paths, fmt.Sprintf("/brokers/topics/t%d\xff%s", i, strings.Repeat("x", 300)))
	}
	s.BadZnodes(SourceRole, []string{"/controller"})
	s.BadZnodes(SourceCluster, paths)
	wantValue(t, reg, 1001, "baton_bad_znodes")
	if n := testutil.CollectAndCount(s.own.badPaths); n != maxBadPaths {
		t.Errorf("%d series, want %d", n, maxBadPaths)
	}
	s.BadZnodes(SourceCluster, nil)
	wantValue(t, reg, 1, "baton_bad_znodes")
	s.BadZnodes(SourceRole, nil)
	if n := testutil.CollectAndCount(s.own.badPaths); n != 0 {
		t.Errorf("%d series after all were repaired", n)
	}
}

func TestEventsAndElections(t *testing.T) {
	s, reg := newSet(t, nil)
	s.EventHandled(StateBrokerChange, 20*time.Millisecond)
	s.EventHandled(StateIdle, time.Millisecond) // has no timer
	s.Election("unclean")
	s.Election("offline")
	s.LoopProgress(time.UnixMilli(1500))
	wantValue(t, reg, 1, "kafka_controller_controllerstats_leaderelectionrateandtimems")
	wantValue(t, reg, 2, "kafka_controller_controllereventmanager_eventqueueprocessingtimems")
	wantValue(t, reg, 1, "kafka_controller_controllerstats_uncleanleaderelections_total")
	wantValue(t, reg, 1, "baton_elections_total", "strategy=offline")
	wantValue(t, reg, 1.5, "baton_loop_last_progress_timestamp_seconds")
}

// TestEveryMethod calls what the tests above do not, under the pedantic registry, which checks what is exported.
func TestEveryMethod(t *testing.T) {
	s, reg := newSet(t, map[string]string{"env": "prod"})
	z := s.ZooKeeper()
	z.RequestLatency(time.Millisecond)
	z.SyncConnected()
	z.Disconnected()
	z.Expired()
	z.AuthFailed()
	s.ControllerState(StateISRChange)
	s.EventQueueSize(3)
	s.EventQueueTime(time.Millisecond)
	s.Claimed(7)
	for _, p := range []Phase{PhaseClaim, PhaseLoad} {
		s.ClaimPhase(p, time.Second)
	}
	s.Timed("broker_lost", "first_told", time.Second)
	s.LeaseValid(true)
	s.Hold(true)
	s.Members(2, 1)
	s.RefusedISRChanges("INELIGIBLE_REPLICA", 1)
	s.Conflict()
	s.Reclaim()
	s.Alarm("reclaim")
	s.EndpointRequest("Metadata", "served", time.Millisecond)
	s.EndpointConnections(1)
	for name, want := range map[string]float64{
		"kafka_server_sessionexpirelistener_zookeeperexpires_total": 1, "kafka_controller_kafkacontroller_controllerstate": 9,
		"baton_controller_epoch": 7, "baton_lease_valid": 1, "baton_hold": 1, "baton_conflicts_total": 1, "baton_reclaims_total": 1,
		"baton_endpoint_connections": 1, "baton_endpoint_requests_total": 1, "baton_claims_total": 1,
	} {
		wantValue(t, reg, want, name)
	}
	if n := len(slices.Collect(maps.Keys(timers))); n != len(s.kafka.timers) {
		t.Errorf("%d timers, want %d", len(s.kafka.timers), n)
	}
}
