package node

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"baton/admin"
	"baton/partition"
	"baton/planner"
)

// maxRecorded bounds the topics or partitions that one entry names.
const maxRecorded = 20

// recordWrite puts on record what a client asked to be created, extended, deleted or reassigned, and who it says it is. What came
// of each partition are entries of their own.
func (n *Node) recordWrite(body planner.CallBody, reply planner.ReplyBody, begun time.Time, err error) {
	var what, client string
	var names, refused []string
	add := func(name string, why *kerr.Error) {
		if why != nil {
			refused = append(refused, fmt.Sprintf("%s: %s", name, why.Message))
			return
		}
		names = append(names, name)
	}
	switch b := body.(type) {
	case planner.CreateTopics:
		what, client = "create topics", b.Caller.ID
		if r, ok := reply.(planner.CreateTopicsReply); ok && !b.ValidateOnly {
			for _, t := range r.Topics {
				add(t.Name, t.Err)
			}
		}
	case planner.DeleteTopics:
		what, client = "delete topics", b.Caller.ID
		if r, ok := reply.(planner.DeleteTopicsReply); ok {
			for _, t := range r.Topics {
				add(t.Name, t.Err)
			}
		}
	case planner.CreatePartitions:
		what, client = "create partitions of", b.Caller.ID
		if r, ok := reply.(planner.CreatePartitionsReply); ok && !b.ValidateOnly {
			for _, t := range r.Topics {
				add(t.Name, t.Err)
			}
		}
	case planner.AlterReassignments:
		what, client = "reassign", b.ClientID
		if r, ok := reply.(planner.AlterReassignmentsReply); ok {
			for _, p := range r.Items {
				add(to(b.Items, p.ID), p.Err)
			}
		}
	}
	if what == "" || len(names) == 0 && err == nil {
		return // another kind of call, or nothing was done: some clients try to create a topic again and again
	}
	if len(refused) > 0 && err == nil {
		err = fmt.Errorf("refused: %s", some(refused))
	}
	if client != "" {
		client = fmt.Sprintf("a client with id %q", client)
	}
	n.recordCommand(what+" "+some(names), admin.Request{Who: client}, begun, err)
}

// to says where a partition's replicas were to go.
func to(items []planner.Reassignment, id partition.ID) string {
	i := slices.IndexFunc(items, func(it planner.Reassignment) bool { return it.ID == id })
	switch {
	case i < 0:
		return fmt.Sprint(id)
	case items[i].Replicas == nil:
		return fmt.Sprintf("%v as it was", id)
	}
	return fmt.Sprintf("%v to %v", id, items[i].Replicas)
}

func some(names []string) string {
	switch {
	case len(names) == 0:
		return "nothing"
	case len(names) > maxRecorded:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxRecorded], ", "), len(names)-maxRecorded)
	}
	return strings.Join(names, ", ")
}
