package zkstore

import (
	"context"
	"strconv"
	"strings"

	"baton/partition"

	"github.com/go-zookeeper/zk"
)

const (
	pathController      = "/controller"
	pathControllerEpoch = "/controller_epoch"
	pathBrokerIDs       = "/brokers/ids"
	pathTopics          = "/brokers/topics"
	pathConfig          = "/config"
	pathConfigChanges   = "/config/changes"
	pathTopicConfigs    = "/config/topics"
	pathBrokerDefaults  = "/config/brokers/<default>"
	pathUserConfigs     = "/config/users"
	pathClientConfigs   = "/config/clients"
	pathPreferred       = "/admin/preferred_replica_election"
	pathDeleteTopics    = "/admin/delete_topics"
	pathReassign        = "/admin/reassign_partitions"
	pathLogDirEvents    = "/log_dir_event_notification"
	pathISRChanges      = "/isr_change_notification"
	pathProducerIDs     = "/latest_producer_id_block"
	pathFeature         = "/feature"
	pathTokens          = "/delegation_token/tokens"
	pathTokenChanges    = "/delegation_token/token_changes"
	pathMigration       = "/migration"
	pathBatonMembers    = "/baton/members"
	pathBatonIDs        = "/baton/ids"
	pathHold            = "/baton/hold"
	pathHandover        = "/baton/handover"
)

// persistentPaths are those that every broker makes sure of when it starts, which
// Baton may do before any of them, and Baton's own.
var persistentPaths = []string{
	"/consumers", pathBrokerIDs, pathTopics, pathConfigChanges, pathDeleteTopics, "/brokers/seqid",
	pathISRChanges, pathProducerIDs, pathLogDirEvents,
	pathTopicConfigs, pathClientConfigs, pathUserConfigs, "/config/brokers", "/config/ips",
	pathBatonMembers, pathBatonIDs,
}

func topicPath(t string) string       { return pathTopics + "/" + t }
func topicConfigPath(t string) string { return pathTopicConfigs + "/" + t }
func partitionsPath(t string) string  { return topicPath(t) + "/partitions" }
func partitionPath(id partition.ID) string {
	return partitionsPath(id.Topic) + "/" + strconv.Itoa(int(id.Number))
}
func statePath(id partition.ID) string {
	return pathTopics + "/" + id.Topic + "/partitions/" + strconv.Itoa(int(id.Number)) + "/state"
}
func childPath(dir, name string) string  { return dir + "/" + name }
func idPath(dir string, id int32) string { return dir + "/" + strconv.Itoa(int(id)) }
func lastElement(path string) string     { return path[strings.LastIndexByte(path, '/')+1:] }
func parentOf(path string) string        { return path[:strings.LastIndexByte(path, '/')] }

// EnsurePaths creates what is missing of the persistent paths, the chroot included.
func (s *Session) EnsurePaths(ctx context.Context) error {
	for _, p := range persistentPaths {
		if err := s.ensure(ctx, s.abs(p)); err != nil {
			return err
		}
	}
	return nil
}

// ensure creates an absolute path with its parents.
func (s *Session) ensure(ctx context.Context, abs string) error {
	err := s.createAbs(ctx, abs, nil)
	if classify(err) == classNoNode && parentOf(abs) != "" {
		if err := s.ensure(ctx, parentOf(abs)); err != nil {
			return err
		}
		err = s.createAbs(ctx, abs, nil)
	}
	if classify(err) == classNodeExists {
		return nil
	}
	return err
}

func (s *Session) createAbs(ctx context.Context, abs string, data []byte) error {
	_, err := again(ctx, s, "create", abs, func(c zkConn) (string, error) {
		return c.Create(abs, data, 0, zk.WorldACL(zk.PermAll))
	})
	return err
}

// parseID reads a znode name that is a broker id or a partition number.
func parseID(name string) (int32, bool) {
	n, err := strconv.ParseInt(name, 10, 32)
	// "007" and "+7" are other znodes than "7".
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != name {
		return 0, false
	}
	return int32(n), true
}
