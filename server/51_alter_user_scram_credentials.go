package server

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterUserScramCredentials, v0: not built; refused for every user, each named once.
func alterUserSCRAMAPI() api {
	active, standby := refuse(refuseAlterUserSCRAM)
	return api{key: keyAlterUserSCRAM, active: active, standby: standby}
}

func refuseAlterUserSCRAM(req *kmsg.AlterUserSCRAMCredentialsRequest, no refusal) kmsg.Response {
	resp := respond[*kmsg.AlterUserSCRAMCredentialsResponse](req)
	resp.Results = []kmsg.AlterUserSCRAMCredentialsResponseResult{}
	var users []string
	for _, d := range req.Deletions {
		users = append(users, d.Name)
	}
	for _, u := range req.Upsertions {
		users = append(users, u.Name)
	}
	slices.Sort(users)
	for _, name := range slices.Compact(users) {
		out := kmsg.NewAlterUserSCRAMCredentialsResponseResult()
		out.User, out.ErrorCode, out.ErrorMessage = name, no.code, no.message
		resp.Results = append(resp.Results, out)
	}
	return resp
}
