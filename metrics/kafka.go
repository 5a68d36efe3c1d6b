package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Kafka's states of the controller, the values of its ControllerState gauge. Each event that is handled belongs to one,
// and all but Idle and UpdateMetadataResponseReceived have a timer.
const (
	StateIdle                           = 0
	StateControllerChange               = 1
	StateBrokerChange                   = 2
	StateTopicChange                    = 3
	StateTopicDeletion                  = 4
	StateAlterPartitionReassignment     = 5
	StateAutoLeaderBalance              = 6
	StateManualLeaderBalance            = 7
	StateControlledShutdown             = 8
	StateISRChange                      = 9
	StateLeaderAndISRResponseReceived   = 10
	StateLogDirChange                   = 11
	StateControllerShutdown             = 12
	StateUncleanLeaderElectionEnable    = 13
	StateTopicUncleanElectionEnable     = 14
	StateListPartitionReassignment      = 15
	StateUpdateMetadataResponseReceived = 16
	StateUpdateFeatures                 = 17
)

// timers are the states' names as their timers have them; what a controller calls BrokerChange has the historic name
// LeaderElection.
var timers = map[int]string{
	StateControllerChange: "controllerchange", StateBrokerChange: "leaderelection", StateTopicChange: "topicchange",
	StateTopicDeletion: "topicdeletion", StateAlterPartitionReassignment: "partitionreassignment",
	StateAutoLeaderBalance: "autoleaderbalance", StateManualLeaderBalance: "manualleaderbalance",
	StateControlledShutdown: "controlledshutdown", StateISRChange: "isrchange",
	StateLeaderAndISRResponseReceived: "leaderandisrresponsereceived", StateLogDirChange: "logdirchange",
	StateControllerShutdown: "controllershutdown", StateUncleanLeaderElectionEnable: "uncleanleaderelectionenable",
	StateTopicUncleanElectionEnable: "topicuncleanleaderelectionenable",
	StateListPartitionReassignment:  "listpartitionreassignment", StateUpdateFeatures: "updatefeatures",
}

// migrationZK is ZkMigrationState's ZK: this cluster has not begun to leave ZooKeeper. Brokers export it always.
const migrationZK = 4

type kafkaSet struct {
	active, offline, imbalance, state, topics, partitions                                  prometheus.Gauge
	topicsToDelete, replicasToDelete, topicsIneligible, replicasIneligible, brokers        prometheus.Gauge
	queueSizeEvents, totalQueue                                                            prometheus.Gauge
	queueTime, processingTime, zkLatency                                                   prometheus.Summary
	queueSize                                                                              *prometheus.GaugeVec
	requestQueueTime                                                                       *prometheus.SummaryVec
	unclean, disconnects, expires, syncConnects, authFailures, readOnlyConnects, saslAuths prometheus.Counter
	timers                                                                                 map[int]prometheus.Summary
}

func (s *Set) initKafka() {
	const controller = "kafka_controller_kafkacontroller_"
	const inactive = " (0 unless this instance holds the role)"
	k := &s.kafka
	k.active = s.gauge(controller+"activecontrollercount", "1 if this instance is the controller.")
	k.offline = s.gauge(controller+"offlinepartitionscount", "Partitions without a leader"+inactive+".")
	k.imbalance = s.gauge(controller+"preferredreplicaimbalancecount", "Partitions not led by their preferred replica"+inactive+".")
	k.state = s.gauge(controller+"controllerstate", "What the event loop is doing, as numbered by Kafka; 0 is idle.")
	k.topics = s.gauge(controller+"globaltopiccount", "Topics"+inactive+".")
	k.partitions = s.gauge(controller+"globalpartitioncount", "Partitions"+inactive+".")
	k.topicsToDelete = s.gauge(controller+"topicstodeletecount", "Topics marked for deletion"+inactive+".")
	k.replicasToDelete = s.gauge(controller+"replicastodeletecount", "Replicas still to be deleted"+inactive+".")
	k.topicsIneligible = s.gauge(controller+"topicsineligibletodeletecount", "Topics that cannot be deleted now"+inactive+".")
	k.replicasIneligible = s.gauge(controller+"replicasineligibletodeletecount", "Replicas that cannot be deleted now"+inactive+".")
	k.brokers = s.gauge(controller+"activebrokercount", "Registered brokers"+inactive+".")
	s.gauge(controller+"fencedbrokercount", "Always 0: brokers of a ZooKeeper cluster are never fenced.")
	s.gauge(controller+"zkmigrationstate", "Always 4: a ZooKeeper cluster that is not migrating.").Set(migrationZK)

	const events = "kafka_controller_controllereventmanager_"
	k.queueSizeEvents = s.gauge(events+"eventqueuesize", "Events waiting for the loop.")
	k.queueTime = s.summary(events+"eventqueuetimems", "Time from an event's arrival to its handling, in ms.")
	k.processingTime = s.summary(events+"eventqueueprocessingtimems", "Time an event's handling took, in ms.")

	const channels = "kafka_controller_controllerchannelmanager_"
	k.totalQueue = s.gauge(channels+"totalqueuesize", "Control requests waiting, all brokers.")
	k.queueSize = s.gauges(channels+"queuesize", "Control requests waiting for a broker.", "broker_id")
	k.requestQueueTime = s.summaries(channels+"requestrateandqueuetimems", "Time a control request waited before it was first sent, in ms.", "broker_id")

	const stats = "kafka_controller_controllerstats_"
	k.unclean = s.counter(stats+"uncleanleaderelections_total", "Leaders elected from outside the ISR.")
	k.timers = make(map[int]prometheus.Summary, len(timers))
	for state, name := range timers {
		k.timers[state] = s.summary(stats+name+"rateandtimems", "Time the handling of such events took, in ms.")
	}

	const session = "kafka_server_sessionexpirelistener_zookeeper"
	k.disconnects = s.counter(session+"disconnects_total", "Connections to ZooKeeper lost.")
	k.expires = s.counter(session+"expires_total", "ZooKeeper sessions that expired.")
	k.syncConnects = s.counter(session+"syncconnects_total", "Connections to ZooKeeper made.")
	k.authFailures = s.counter(session+"authfailures_total", "Failed authentications with ZooKeeper.")
	k.readOnlyConnects = s.counter(session+"readonlyconnects_total", "Connections to a read-only ZooKeeper.")
	k.saslAuths = s.counter(session+"saslauthentications_total", "SASL authentications with ZooKeeper.")
	k.zkLatency = s.summary("kafka_server_zookeeperclientmetrics_zookeeperrequestlatencyms", "Time a ZooKeeper request took, in ms.")
}

// Counts is what Kafka's controller gauges say. Kafka computes them after each event; so should the loop.
type Counts struct {
	Topics, Partitions, Offline, PreferredImbalance, Brokers, Reassigning              int
	TopicsToDelete, ReplicasToDelete                                                   int
	TopicsIneligibleToDelete, ReplicasIneligibleToDelete, UnderMinISR, UnderReplicated int
}

// SetCounts stores the gauges of the image. They are exported only while the role is Active: a former holder would
// otherwise go on reporting the cluster it used to see.
func (s *Set) SetCounts(c Counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts = c
	s.export()
}

// export must be called with the lock held.
func (s *Set) export() {
	c, k := s.counts, &s.kafka
	if !s.active {
		c = Counts{}
	}
	k.offline.Set(float64(c.Offline))
	k.imbalance.Set(float64(c.PreferredImbalance))
	k.topics.Set(float64(c.Topics))
	k.partitions.Set(float64(c.Partitions))
	k.topicsToDelete.Set(float64(c.TopicsToDelete))
	k.replicasToDelete.Set(float64(c.ReplicasToDelete))
	k.topicsIneligible.Set(float64(c.TopicsIneligibleToDelete))
	k.replicasIneligible.Set(float64(c.ReplicasIneligibleToDelete))
	k.brokers.Set(float64(c.Brokers))
	s.own.underMinISR.Set(float64(c.UnderMinISR))
	s.own.underReplicated.Set(float64(c.UnderReplicated))
	s.own.reassigning.Set(float64(c.Reassigning))
}

// ControllerState says what the loop is doing now, one of the State constants.
func (s *Set) ControllerState(state int) { s.kafka.state.Set(float64(state)) }

// EventQueueSize is the number of events that wait.
func (s *Set) EventQueueSize(n int) { s.kafka.queueSizeEvents.Set(float64(n)) }

// EventQueueTime is how long an event waited.
func (s *Set) EventQueueTime(d time.Duration) { s.kafka.queueTime.Observe(millis(d)) }

// EventHandled is how long the handling of an event took, by the state it belongs to. It counts as progress of the
// loop and as time in which the loop was busy.
func (s *Set) EventHandled(state int, d time.Duration) {
	s.kafka.processingTime.Observe(millis(d))
	if t := s.kafka.timers[state]; t != nil {
		t.Observe(millis(d))
	}
	s.own.loopBusy.Add(max(d, 0).Seconds())
}

// ChannelQueueSize is the number of requests that wait for a broker.
func (s *Set) ChannelQueueSize(broker int32, n int) {
	s.kafka.queueSize.WithLabelValues(id(broker)).Set(float64(n))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queues[broker] = n
	s.totalQueue()
}

// totalQueue must be called with the lock held.
func (s *Set) totalQueue() {
	total := 0
	for _, n := range s.queues {
		total += n
	}
	s.kafka.totalQueue.Set(float64(total))
}

// RequestQueueTime is how long a control request waited before its first attempt.
func (s *Set) RequestQueueTime(broker int32, d time.Duration) {
	s.kafka.requestQueueTime.WithLabelValues(id(broker)).Observe(millis(d))
}

// ZooKeeper counts what happens to sessions and requests; it is what zkstore is given.
func (s *Set) ZooKeeper() ZooKeeper { return ZooKeeper{&s.kafka, &s.own} }

// ZooKeeper is the part of a Set that is about ZooKeeper.
type ZooKeeper struct {
	k *kafkaSet
	o *ownSet
}

// RequestLatency is how long one request took.
func (z ZooKeeper) RequestLatency(d time.Duration) { z.k.zkLatency.Observe(millis(d)) }

// SyncConnected counts a connection made.
func (z ZooKeeper) SyncConnected() { z.k.syncConnects.Inc() }

// Disconnected counts a lost connection; the session may go on.
func (z ZooKeeper) Disconnected() { z.k.disconnects.Inc() }

// Expired counts the end of a session.
func (z ZooKeeper) Expired() { z.k.expires.Inc() }

// AuthFailed counts a refused authentication.
func (z ZooKeeper) AuthFailed() { z.k.authFailures.Inc() }

// ImageRequest counts a request for a standby's image, for so many znodes.
func (z ZooKeeper) ImageRequest(znodes int) {
	z.o.imageRequests.Inc()
	z.o.imageReads.Add(float64(znodes))
}

// ImageReceived counts what came in for it.
func (z ZooKeeper) ImageReceived(bytes int, event bool) {
	z.o.imageBytes.Add(float64(bytes))
	if event {
		z.o.imageEvents.Inc()
	}
}

// ImageLost counts an image that was lost.
func (z ZooKeeper) ImageLost() { z.o.imageLosses.Inc() }

// Loaded counts a claim that has read the cluster, warm if it stands on an image.
func (z ZooKeeper) Loaded(warm bool) {
	kind := "cold"
	if warm {
		kind = "warm"
	}
	z.o.claimLoads.WithLabelValues(kind).Inc()
}
