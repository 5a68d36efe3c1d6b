package server

import (
	"context"

	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterUserScramCredentials, v0: every user of the request is answered once. Describing them is
// done by any broker.
func alterUserSCRAMAPI() api {
	return api{key: keyAlterUserSCRAM, active: typed(alterUserSCRAM), standby: typed(alterUserSCRAMStandby)}
}

func askedScram(req *kmsg.AlterUserSCRAMCredentialsRequest) (call planner.AlterScram) {
	for _, d := range req.Deletions {
		call.Deletions = append(call.Deletions, planner.ScramDeletion{User: d.Name, Mechanism: planner.ScramMechanism(d.Mechanism)})
	}
	for _, u := range req.Upsertions {
		call.Upsertions = append(call.Upsertions, planner.ScramUpsertion{
			User: u.Name, Mechanism: planner.ScramMechanism(u.Mechanism), Iterations: u.Iterations, Salt: u.Salt, Salted: u.SaltedPassword})
	}
	return call
}

func alterUserSCRAM(ctx context.Context, r *request, req *kmsg.AlterUserSCRAMCredentialsRequest) (kmsg.Response, error) {
	call := askedScram(req)
	reply, failed, err := callTimed[planner.AlterScramReply](ctx, r, call, 0)
	switch {
	case err != nil:
		return nil, err
	case failed != nil:
		return alterUserSCRAMFailed(req, call, failed, failed.Description), nil
	}
	resp := respond[*kmsg.AlterUserSCRAMCredentialsResponse](req)
	resp.Results = []kmsg.AlterUserSCRAMCredentialsResponseResult{}
	for _, u := range reply.Users {
		resp.Results = append(resp.Results, alteredUser(u.User, u.Err, u.Message))
	}
	return resp, nil
}

func alteredUser(user string, e *kerr.Error, message string) kmsg.AlterUserSCRAMCredentialsResponseResult {
	out := kmsg.NewAlterUserSCRAMCredentialsResponseResult()
	out.User, out.ErrorCode, out.ErrorMessage = user, codeOf(e), messageOf(e, message)
	return out
}

func alterUserSCRAMFailed(req *kmsg.AlterUserSCRAMCredentialsRequest, call planner.AlterScram, e *kerr.Error, message string) kmsg.Response {
	resp := respond[*kmsg.AlterUserSCRAMCredentialsResponse](req)
	resp.Results = []kmsg.AlterUserSCRAMCredentialsResponseResult{}
	for _, user := range call.Users() {
		resp.Results = append(resp.Results, alteredUser(user, e, message))
	}
	return resp
}

func alterUserSCRAMStandby(_ context.Context, _ *request, req *kmsg.AlterUserSCRAMCredentialsRequest) (kmsg.Response, error) {
	return alterUserSCRAMFailed(req, askedScram(req), kerr.NotController, standbyMessage), nil
}
