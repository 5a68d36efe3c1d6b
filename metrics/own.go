package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Role is what this instance is doing.
type Role string

// The roles. Held: /baton/hold forbids claiming.
const (
	Standby Role = "standby"
	Active  Role = "active"
	Held    Role = "held"
)

// Phase is a part of a claim, measured from its start.
type Phase string

// The phases, in order: the claim is written, everything is read. What follows is timed by Timed.
const (
	PhaseClaim Phase = "claim"
	PhaseLoad  Phase = "load"
)

// maxBadPaths bounds the series of baton_bad_znode: garbage can be everywhere at once, and the count says so.
const maxBadPaths = 50

type ownSet struct {
	build, role, untold, connected, badPaths, claimPhase, members    *prometheus.GaugeVec
	badCount, leaseValid, epoch, underMinISR, underReplicated        prometheus.Gauge
	lastProgress, reassigning, endpointConns, hold                   prometheus.Gauge
	elections, refused, alarms, retries, endpointRequests, throttled *prometheus.CounterVec
	conflicts, reclaims, claims, loopBusy, resigns                   prometheus.Counter
	roundTrip                                                        *prometheus.HistogramVec
	phases                                                           *prometheus.GaugeVec
	endpointTime                                                     *prometheus.HistogramVec
	measuredLogs                                                     *prometheus.CounterVec
	rescues                                                          *prometheus.GaugeVec
	measureTime                                                      prometheus.Histogram
	journalEntries, journalDropped                                   prometheus.Counter
	journalFailing, journalUncopied                                  prometheus.Gauge
	journalBytes                                                     *prometheus.GaugeVec
	sampled                                                          *prometheus.CounterVec
	sampleAge                                                        prometheus.Gauge
	returnedLogs                                                     *prometheus.CounterVec
	lostRecords                                                      prometheus.Counter
	imageWarm, imageAge, imagePartitions, imageDirty                 prometheus.Gauge
	imageRequests, imageReads, imageBytes, imageEvents, imageLosses  prometheus.Counter
	claimLoads                                                       *prometheus.CounterVec
}

func (s *Set) initOwn() {
	o := &s.own
	o.build = s.gauges("baton_build_info", "Always 1; the labels name the build.", "version", "commit", "go")
	o.role = s.gauges("baton_role", "1 for the role this instance has now, 0 for the others.", "role")
	o.members = s.gauges("baton_members", "Live Batons by their mode, this one included.", "kind")
	o.leaseValid = s.gauge("baton_lease_valid", "1 while the ZooKeeper session was confirmed recently enough to act on.")
	o.epoch = s.gauge("baton_controller_epoch", "Controller epoch of the claim this instance holds or held last, 0 if it never did.")
	o.hold = s.gauge("baton_hold", "1 while /baton/hold forbids claiming.")
	o.claims = s.counter("baton_claims_total", "Claims of the role that succeeded.")
	o.reclaims = s.counter("baton_reclaims_total", "Claims made again because a broker knew a higher controller epoch.")
	o.resigns = s.counter("baton_role_losses_total", "Times the role was lost or given up.")
	o.claimPhase = s.gauges("baton_claim_phase_seconds", "Time from the start of the last claim to the end of each phase.", "phase")
	o.phases = s.gauges("baton_phase_seconds",
		"Time from what set off the last work of a kind to the end of its read, decide, write, first_told and last_told.", "trigger", "phase")

	o.elections = s.counters("baton_elections_total", "Committed changes of leader or ISR made by this controller.", "strategy")
	o.refused = s.counters("baton_refused_isr_changes_total", "ISR changes asked for by leaders that were not accepted.", "reason")
	o.conflicts = s.counter("baton_conflicts_total", "Writes that found another version in ZooKeeper and were decided again.")
	o.alarms = s.counters("baton_alarms_total", "Events an operator should look at.", "kind")
	o.underReplicated = s.gauge("baton_under_replicated_partitions", "Partitions whose ISR is smaller than their assignment (0 unless active).")
	o.underMinISR = s.gauge("baton_under_min_isr_partitions", "Partitions whose ISR is smaller than min.insync.replicas (0 unless active).")
	o.reassigning = s.gauge("baton_reassigning_partitions", "Partitions with replicas being added or removed (0 unless active).")
	o.badCount = s.gauge("baton_bad_znodes", "Znodes that cannot be understood.")
	o.badPaths = s.gauges("baton_bad_znode_info", "Always 1; the first paths that cannot be understood.", "path")

	o.untold = s.gauges("baton_untold_partitions", "Partitions that a broker has not acknowledged yet.", "broker")
	o.connected = s.gauges("baton_broker_connected", "1 while the control channel to a broker is connected.", "broker")
	o.roundTrip = register(s, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "baton_control_request_seconds",
		Help: "Time from sending a control request to its answer.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 17)}, []string{"api", "broker"}))
	o.retries = s.counters("baton_control_request_retries_total", "Control requests that had to be sent again.", "api", "broker")

	o.measuredLogs = s.counters("baton_measured_logs_total", "Replicas' logs that brokers were asked about, by what became of it: measured or silent.", "how")
	o.rescues = s.gauges("baton_recovering_partitions", "Leaderless partitions that unclean.recovery.strategy is at: waiting for the ISR, measuring, or in doubt (0 unless active).", "kind")
	o.measureTime = register(s, prometheus.NewHistogram(prometheus.HistogramOpts{Name: "baton_measurement_seconds",
		Help: "Time that one measurement of replicas' logs took.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 15)}))

	o.throttled = s.counters("baton_throttled_requests_total", "Requests whose client had to wait for its quota on controller_mutation_rate.", "api")
	o.endpointRequests = s.counters("baton_endpoint_requests_total", "Requests that came in, by what became of them: served, proxied or refused.", "api", "how")
	o.endpointTime = register(s, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "baton_endpoint_request_seconds",
		Help: "Time from reading a request to writing its answer.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 17)}, []string{"api", "how"}))
	o.endpointConns = s.gauge("baton_endpoint_connections", "Open connections of brokers and clients.")

	o.journalEntries = s.counter("baton_journal_entries_total", "Entries written to the journal.")
	o.journalDropped = s.counter("baton_journal_dropped_total", "Steps of the controller that are not in the journal: they came too fast, or the disk failed.")
	o.journalFailing = s.gauge("baton_journal_failing", "1 while the journal cannot be written.")
	o.journalUncopied = s.gauge("baton_journal_uncopied_members", "Other live Batons whose journal this one cannot copy at the moment.")
	o.journalBytes = s.gauges("baton_journal_bytes", "Size of the journals on this disk: own ones, and copies of other Batons'.", "kind")

	o.sampled = s.counters("baton_leader_log_samples_total", "Partitions whose leader was asked where its log ends, by what became of it: answered or failed.", "result")
	o.sampleAge = s.gauge("baton_leader_log_sample_age_seconds", "Age of the oldest such answer among partitions that are led, after each round (0 unless active).")

	o.returnedLogs = s.counters("baton_returned_logs_total", "Replicas back that were in sync before an unclean election, by whether their log was measured before they followed: measured or not_measured.", "result")
	o.lostRecords = s.counter("baton_lost_records_total", "Records that such logs had, and the partition's leader does not have.")

	o.imageWarm = s.gauge("baton_image_warm", "1 while a standby has an image of topics and states that a claim can stand on (0 when active).")
	o.imageAge = s.gauge("baton_image_age_seconds", "Time since that image was last known to be as ZooKeeper had it, -1 without one.")
	o.imagePartitions = s.gauge("baton_image_partitions", "Partitions in that image.")
	o.imageDirty = s.gauge("baton_image_dirty_znodes", "Znodes of it that have changed and wait to be read again.")
	o.imageRequests = s.counter("baton_image_requests_total", "Requests to ZooKeeper for that image.")
	o.imageReads = s.counter("baton_image_reads_total", "Znodes read for it.")
	o.imageBytes = s.counter("baton_image_received_bytes_total", "Bytes that ZooKeeper sent for it.")
	o.imageEvents = s.counter("baton_image_events_total", "Changes that ZooKeeper told of for it.")
	o.imageLosses = s.counter("baton_image_losses_total", "Times such an image was lost with its connection, or could not be begun.")
	o.claimLoads = s.counters("baton_claim_loads_total", "Claims by what they stood on: warm, the image, or cold, everything was read.", "image")

	o.loopBusy = s.counter("baton_loop_busy_seconds_total", "Time the event loop spent handling events; its rate is the loop's saturation.")
	o.lastProgress = s.gauge("baton_loop_last_progress_timestamp_seconds", "When the event loop last finished an event, as Unix time.")
}

// SetRole tells the role. Kafka's controller gauges follow it.
func (s *Set) SetRole(r Role) {
	for _, x := range []Role{Standby, Active, Held} {
		s.own.role.WithLabelValues(string(x)).Set(bit(x == r))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active && r != Active {
		s.own.resigns.Inc()
	}
	s.active = r == Active
	s.kafka.active.Set(bit(s.active))
	s.export()
}

// Claimed counts a successful claim and remembers its epoch.
func (s *Set) Claimed(epoch int32) {
	s.own.claims.Inc()
	s.own.epoch.Set(float64(epoch))
}

// ClaimPhase is the time from the start of the claim to the end of a phase.
func (s *Set) ClaimPhase(p Phase, d time.Duration) {
	s.own.claimPhase.WithLabelValues(string(p)).Set(d.Seconds())
}

// Timed is how long after what set it off a phase of a piece of work ended.
func (s *Set) Timed(trigger, phase string, d time.Duration) {
	s.own.phases.WithLabelValues(trigger, phase).Set(d.Seconds())
}

// LeaseValid says whether the session was confirmed recently enough to act on.
func (s *Set) LeaseValid(ok bool) { s.own.leaseValid.Set(bit(ok)) }

// Hold says whether /baton/hold exists.
func (s *Set) Hold(on bool) { s.own.hold.Set(bit(on)) }

// Members is the number of live Batons by mode.
func (s *Set) Members(standby, active int) {
	s.own.members.WithLabelValues(string(Standby)).Set(float64(standby))
	s.own.members.WithLabelValues(string(Active)).Set(float64(active))
}

// Election counts a committed change of leader or ISR by its strategy; unclean ones count in Kafka's metric too.
func (s *Set) Election(strategy string) {
	s.own.elections.WithLabelValues(label(strategy)).Inc()
	if strategy == "unclean" {
		s.kafka.unclean.Inc()
	}
}

// RefusedISRChanges counts AlterPartition items that were not accepted, by their error's name.
func (s *Set) RefusedISRChanges(reason string, n int) {
	s.own.refused.WithLabelValues(label(reason)).Add(float64(n))
}

// Conflict counts a write that found another version.
func (s *Set) Conflict() { s.own.conflicts.Inc() }

// Reclaim counts a claim made again although the fence still held.
func (s *Set) Reclaim() { s.own.reclaims.Inc() }

// Alarm counts something an operator should look at. kind is one of a few fixed words, never a text.
func (s *Set) Alarm(kind string) { s.own.alarms.WithLabelValues(label(kind)).Inc() }

// Source is who has read znodes that cannot be understood.
type Source string

// The sources: what decides about the role, and what the one that holds it leads.
const (
	SourceRole    Source = "role"
	SourceCluster Source = "cluster"
)

// BadZnodes replaces a source's list of paths that cannot be understood; the first ones by name are named.
func (s *Set) BadZnodes(from Source, now []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Equal(s.bad[from], now) {
		return
	}
	if s.bad == nil {
		s.bad = map[Source][]string{}
	}
	s.bad[from] = slices.Clone(now)
	paths := slices.Sorted(slices.Values(slices.Concat(s.bad[SourceRole], s.bad[SourceCluster])))
	s.own.badCount.Set(float64(len(paths)))
	s.own.badPaths.Reset()
	for _, p := range paths[:min(len(paths), maxBadPaths)] {
		s.own.badPaths.WithLabelValues(label(p)).Set(1)
	}
}

// Untold is the number of partitions a broker has not acknowledged yet.
func (s *Set) Untold(broker int32, n int) { s.own.untold.WithLabelValues(id(broker)).Set(float64(n)) }

// BrokerConnected says whether the channel to a broker is connected.
func (s *Set) BrokerConnected(broker int32, ok bool) {
	s.own.connected.WithLabelValues(id(broker)).Set(bit(ok))
}

// RequestDone is the time from sending a control request to its answer.
func (s *Set) RequestDone(api string, broker int32, d time.Duration) {
	s.own.roundTrip.WithLabelValues(api, id(broker)).Observe(d.Seconds())
}

// RequestRetried counts a control request that had to be sent again.
func (s *Set) RequestRetried(api string, broker int32) {
	s.own.retries.WithLabelValues(api, id(broker)).Inc()
}

// Measured counts the logs of one measurement: those that were measured, and those that were not.
func (s *Set) Measured(measured, silent int, took time.Duration) {
	s.own.measuredLogs.WithLabelValues("measured").Add(float64(measured))
	s.own.measuredLogs.WithLabelValues("silent").Add(float64(silent))
	s.own.measureTime.Observe(took.Seconds())
}

// ReturnedLog counts a replica that was in sync before an unclean election and is back, and what it had that its leader has not.
func (s *Set) ReturnedLog(measured bool, lost int64) {
	result := "not_measured"
	if measured {
		result = "measured"
	}
	s.own.returnedLogs.WithLabelValues(result).Inc()
	s.own.lostRecords.Add(float64(lost))
}

// Recovering is the number of leaderless partitions by what unclean.recovery.strategy does about them.
func (s *Set) Recovering(waiting, measuring, doubtful int) {
	s.own.rescues.WithLabelValues("waiting").Set(float64(waiting))
	s.own.rescues.WithLabelValues("measuring").Set(float64(measuring))
	s.own.rescues.WithLabelValues("doubtful").Set(float64(doubtful))
}

// Throttled counts a request whose client has to wait for its quota. The api is a known name, as below.
func (s *Set) Throttled(api string) { s.own.throttled.WithLabelValues(api).Inc() }

// EndpointRequest counts a request that came in: how is served, proxied or refused. The api must be a known name: a
// client chooses the number, so numbers would be series without bound.
func (s *Set) EndpointRequest(api, how string, d time.Duration) {
	s.own.endpointRequests.WithLabelValues(api, how).Inc()
	s.own.endpointTime.WithLabelValues(api, how).Observe(d.Seconds())
}

// EndpointConnections adds to the number of open connections: 1 or -1.
func (s *Set) EndpointConnections(delta int) { s.own.endpointConns.Add(float64(delta)) }

// LoopProgress says that the loop finished an event at t.
func (s *Set) LoopProgress(t time.Time) {
	s.own.lastProgress.Set(float64(t.UnixMilli()) / 1000)
}

func bit(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// Image is what a standby's image of topics and states is like.
func (s *Set) Image(warm bool, age time.Duration, partitions, dirty int) {
	o := &s.own
	o.imageWarm.Set(bit(warm))
	o.imageAge.Set(-1)
	if warm {
		o.imageAge.Set(age.Seconds())
	}
	o.imagePartitions.Set(float64(partitions))
	o.imageDirty.Set(float64(dirty))
}
