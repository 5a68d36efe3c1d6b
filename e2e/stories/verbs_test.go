package stories

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
	"baton/e2e/verbs"
)

// TestEveryVerb plays the script of all verbs on real brokers: what they print is what they print of the cluster of `controller dev`.
func TestEveryVerb(t *testing.T) {
	s := begin(t, kafka.Options{})
	host, err := os.Hostname()
	s.must(err)
	site := realSite{s, nil, map[string]string{host: "HOST", s.cluster.ConnectString(): "ZOOKEEPER", s.cluster.Broker(1).PropertiesPath(): "CONFIG", kafka.Internal + "://": "PLAINTEXT://"}}
	if !kafka.AtLeast(s.cluster.Version(), 3, 2) {
		site.names[`"leaderRecovery":false`] = `"leaderRecovery":true` // all that a snapshot lacks of it
	}
	for i := range 2 {
		b := s.baton(batonproc.Options{ID: batonproc.FirstID + i, Mode: batonproc.Standby, Sets: map[string]string{"instance.name": fmt.Sprint("dev-", i+1),
			"leader.log.sample.interval.ms": "0"}}) // a loss would be another interval each time
		if i == 0 {
			s.must(b.WaitStandby(s.ctx))
			s.cli(b, 0, "takeover", "--yes")
		}
		site.batons = append(site.batons, b)
		site.names[b.AdminSocket()] = fmt.Sprint("SOCKET-", i+1)
	}
	s.must(site.batons[0].WaitReady(s.ctx))
	s.must(site.batons[1].WaitStandby(s.ctx))
	verbs.Play(t, site)
}

// realSite is a cluster whose operators have their configuration in the environment.
type realSite struct {
	s      *story
	batons []*batonproc.Baton
	names  map[string]string
}

func (r realSite) Run(ctx context.Context, baton int, args []string) (verbs.Result, error) {
	b := r.batons[baton-1]
	binary, err := batonproc.Build(ctx)
	if err != nil {
		return verbs.Result{}, err
	}
	if i := slices.Index(args, "CONFIG"); i > 0 {
		args = slices.Replace(args, i-1, i+1, b.ConfigArgs()...) // with --config before it
	}
	out, err := batonproc.RunWith(ctx, []string{"SUDO_USER=ann", "BATON_SOCKET=" + b.AdminSocket()}, binary, args...)
	return verbs.Result{Out: out.Stdout, Errs: out.Stderr, Code: out.ExitCode}, err
}

func (r realSite) Kill(_ context.Context, broker int) error { return r.s.cluster.Broker(broker).Kill() }

func (r realSite) Stop(ctx context.Context, broker int) error {
	return r.s.cluster.Broker(broker).Terminate(ctx)
}

func (r realSite) Start(ctx context.Context, brokers ...int) error {
	for _, b := range brokers {
		if err := r.s.cluster.Broker(b).Start(); err != nil {
			return err
		}
	}
	for _, b := range brokers {
		if err := r.s.cluster.Broker(b).WaitRegistered(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r realSite) Seeds() []string { return r.s.cluster.Seeds() }

func (r realSite) Real() bool { return true }

func (r realSite) Names() map[string]string { return r.names }
