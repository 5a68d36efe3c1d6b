package server

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListTransactions, v0-1: as ListGroups.
func listTransactionsAPI() api {
	return api{key: keyListTransactions, inspect: true, max: 1, active: typed(listTransactions), standby: typed(listTransactions)}
}

func listTransactions(_ context.Context, _ *request, req *kmsg.ListTransactionsRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.ListTransactionsResponse](req)
	resp.UnknownStateFilters = []string{}
	resp.TransactionStates = []kmsg.ListTransactionsResponseTransactionState{}
	return resp, nil
}
