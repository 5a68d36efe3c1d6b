package main

import (
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"baton/admin"
	"baton/zkstore"
)

func TestStatus(t *testing.T) {
	n := &fakeNode{st: sample()}
	socket := serve(t, n)
	for _, o := range outputs {
		r := command(t, nil, "status", "--socket", socket, "-o", o)
		r.want(t, 0)
		golden(t, "status-"+o, r.out)
	}
	n.st = admin.Status{Instance: admin.Instance{ID: 2000001, Name: "one", Mode: "standby", Role: admin.RoleHeld, Why: "image not loaded"},
		Holder: &admin.Holder{ID: 2, Kind: admin.HolderBroker}, Hold: &admin.Hold{Who: "ann", Why: "trial over"}, Migration: "dual write",
		InProgress: []string{"/admin/delete_topics/x"}}
	r := command(t, nil, "status", "--socket", socket)
	r.want(t, 0)
	golden(t, "status-standby", r.out)
}

func TestStatusWithoutABatonReadsZooKeeper(t *testing.T) {
	file := configFile(t)
	role := zkstore.RoleView{Controller: &zkstore.Registration{BrokerID: 2}, Epoch: 14}
	r := command(t, func(a *app) { a.connect = connectTo(fakeReader{role}, nil) }, "status", "--config", file)
	r.want(t, 0, "no running Baton answers", "what ZooKeeper says")
	golden(t, "status-zookeeper", r.out)
	command(t, func(a *app) { a.connect = connectTo(nil, errors.New("no server")) }, "status", "--config", file).want(t, 5, "no server")
	command(t, nil, "status", "--config", file).want(t, 5, "no running Baton answers")
}

func TestFindingTheSocket(t *testing.T) {
	command(t, nil, "status").want(t, 5, "no Baton seems to run here")
	dir := filepath.Dir(serve(t, &fakeNode{st: sample()}))
	socket := filepath.Join(dir, "b.sock")
	command(t, func(a *app) { a.environ = append(a.environ, "BATON_SOCKET="+socket, "BATON_OUTPUT=json") }, "status").want(t, 0, `"controllerEpoch": 15`)
	command(t, func(a *app) { a.environ = append(a.environ, "BATON_SOCKET=/none") }, "status", "--socket", socket).want(t, 0, "Controller epoch:")
	command(t, func(a *app) { a.environ = append(a.environ, "BATON_TIMEOUT=soon") }, "status", "--socket", socket).want(t, 2, "BATON_TIMEOUT")
}

func TestTakeover(t *testing.T) {
	n := &fakeNode{st: sample()}
	n.st.Holder = &admin.Holder{ID: 2, Kind: admin.HolderBroker}
	n.st.Hold = &admin.Hold{Who: "bob", Why: "trial"}
	socket := serve(t, n)
	r := command(t, nil, "takeover", "--socket", socket, "--yes", "--reason", "upgrade")
	r.want(t, 0)
	golden(t, "takeover", r.out+"-- stderr --\n"+r.errs)
	if n.req.Why != "upgrade" || !strings.HasPrefix(n.req.Who, "ann@") {
		t.Errorf("request %+v", n.req)
	}
	for _, c := range []struct {
		err  error
		code int
	}{{admin.Refused("/migration is active"), 3}, {admin.Partly("claimed, not loaded"), 4}, {admin.Unreachable("no ZooKeeper"), 5}, {errors.New("no luck"), 1}} {
		n.err = c.err
		command(t, nil, "takeover", "--socket", socket, "--yes").want(t, c.code, "controller: "+c.err.Error())
	}
}

// TestNothingIsDoneUnasked: without --yes a terminal has to say yes, and without a terminal nothing is done.
func TestNothingIsDoneUnasked(t *testing.T) {
	n := &fakeNode{st: sample()}
	socket := serve(t, n)
	ask := func(answer string) func(*app) {
		return func(a *app) { a.tty, a.in = true, strings.NewReader(answer) }
	}
	command(t, nil, "handback", "--socket", socket).want(t, 3, "Plan:", "--yes")
	command(t, ask("n\n"), "handback", "--socket", socket).want(t, 3, "Go on? [y/N]")
	command(t, ask(""), "handback", "--socket", socket).want(t, 3, "not done")
	if n.req.Who != "" {
		t.Errorf("it was done: %+v", n.req)
	}
	command(t, ask("Yes\n"), "handback", "--socket", socket).want(t, 0, "Broker 2 holds the controller role with epoch 16, after 1.2s.")
	command(t, nil, "handback", "--socket", socket, "-y", "-o", "json").want(t, 0, `"controllerEpoch": 16`)
}

func TestHandover(t *testing.T) {
	n := &fakeNode{st: sample()}
	socket := serve(t, n)
	command(t, nil, "handover", "--socket", socket, "-y").want(t, 0, "from this Baton (2000001) to Baton 2000002 (two)")
	if n.to != admin.AnyMember {
		t.Errorf("to %d", n.to)
	}
	command(t, nil, "handover", "2000002", "--socket", socket, "-y").want(t, 0, "Another Baton holds")
	if n.to != 2000002 {
		t.Errorf("to %d", n.to)
	}
	command(t, nil, "handover", "2000003", "--socket", socket, "-y").want(t, 3, "Baton 2000003 is not running")
	command(t, nil, "handover", "2000001", "--socket", socket, "-y").want(t, 3, "not running")
	command(t, nil, "handover", "two", "--socket", socket, "-y").want(t, 2, "not the id of a Baton")
	n.st.Members = n.st.Members[:1]
	command(t, nil, "handover", "--socket", socket, "-y").want(t, 3, "no other Baton is running")
}

func TestConfigCommands(t *testing.T) {
	socket := serve(t, &fakeNode{st: sample()})
	command(t, nil, "config", "reload", "--socket", socket).want(t, 0, "applied: log.level", "need a restart: listeners")
	command(t, nil, "config", "log-level", "debug", "--socket", socket).want(t, 0, "log level debug, was info")
	command(t, nil, "config", "log-level", "loud", "--socket", socket).want(t, 2, "loud")
}

func TestConfigCheck(t *testing.T) {
	command(t, nil, "config", "check", "--config", configFile(t), "-o", "table").want(t, 0, "node.id", "2000001", "KEY")
	command(t, nil, "config", "check", "--config", configFile(t, "some.key=1"), "-o", "json").want(t, 0, `"origin": "file"`, "some.key")
	command(t, nil, "config", "check", "--config", configFile(t), "--set", "node.id=x", "--set", "num.partitions=0").want(t, 1, "node.id", "num.partitions")
	command(t, nil, "config", "check", "--config", "/none").want(t, 1, "/none")
	command(t, nil, "config", "check").want(t, 2, "--config FILE is needed", "BATON_CONFIG")
	command(t, func(a *app) { a.environ = append(a.environ, "BATON_SET=num.partitions=7\nlog.level=debug") },
		"config", "check", "--config", configFile(t), "-o", "yaml").want(t, 0, "value: \"7\"", "value: debug")
}

func TestCheck(t *testing.T) {
	file := configFile(t)
	role := zkstore.RoleView{Controller: &zkstore.Registration{BrokerID: 2, Owner: 1}, Epoch: 14}
	with := func(role zkstore.RoleView) func(*app) {
		return func(a *app) { a.connect = connectTo(fakeReader{role}, nil) }
	}
	r := command(t, with(role), "check", "--config", file)
	r.want(t, 0)
	golden(t, "check", r.out)
	command(t, with(role), "check", "--config", file, "-o", "json").want(t, 0, `"failures": 0`, `"level": "warn"`)
	role.Migration = "dual write"
	command(t, with(role), "check", "--config", file).want(t, 3, "FAIL", "dual write", "1 failures")
	command(t, func(a *app) { a.connect = connectTo(nil, errors.New("no server")) }, "check", "--config", file).want(t, 5, "no server")
	command(t, with(role), "check", "--config", file, "--set", "node.id=x").want(t, 1, "node.id")
}

func TestColours(t *testing.T) {
	role := zkstore.RoleView{}
	run := func(vars ...string) result {
		return command(t, func(a *app) {
			a.connect, a.color, a.environ = connectTo(fakeReader{role}, nil), true, append(a.environ, vars...)
		}, "check", "--config", configFile(t))
	}
	run().want(t, 0, "\x1b[33mWARN\x1b[0m")
	for _, v := range []string{"NO_COLOR=1", "TERM=dumb"} {
		if r := run(v); strings.Contains(r.out, "\x1b") {
			t.Errorf("%s: %q", v, r.out)
		}
	}
}

func TestUsage(t *testing.T) {
	command(t, nil, "nonsense").want(t, 2, "unknown command")
	command(t, nil, "status", "--nonsense").want(t, 2, "unknown flag")
	command(t, nil, "status", "extra").want(t, 2)
	command(t, nil, "status", "-o", "xml").want(t, 2, "expected one of table, json, yaml")
	command(t, nil, "version").want(t, 0, "controller dev (commit ")
	command(t, nil, "version", "-o", "yaml").want(t, 0, "version: dev")
	command(t, nil, "completion", "bash").want(t, 0, "bash completion")
}

// TestHabits walks the commands: each has an example, says its exit codes, names a variable for each flag, and prints in
// three forms unless there is a reason not to.
func TestHabits(t *testing.T) {
	noOutput := map[string]string{"controller run": "it logs", "controller dev": "it tells a story",
		"controller completion bash": "a script", "controller completion zsh": "a script", "controller completion fish": "a script", "controller completion powershell": "a script"}
	watched := []string{"controller status", "controller explain"}
	root := (&app{}).root()
	visited := 0
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if !c.Runnable() || c.Name() == "help" {
			return
		}
		visited++
		path := c.CommandPath()
		if !strings.Contains(c.Example, "  "+path) {
			t.Errorf("%s: no example of it in %q", path, c.Example)
		}
		if !regexp.MustCompile(`Exit codes?:? 0`).MatchString(c.Long) {
			t.Errorf("%s: its exit codes are not in %q", path, c.Long)
		}
		if (c.Flags().Lookup("output") != nil) == (noOutput[path] != "") {
			t.Errorf("%s: -o is there: %v; the reason not to: %q", path, c.Flags().Lookup("output") != nil, noOutput[path])
		}
		if slices.Contains(watched, path) != (c.Flags().Lookup("watch") != nil) {
			t.Errorf("%s: --watch is there: %v", path, c.Flags().Lookup("watch") != nil)
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !strings.HasSuffix(f.Usage, " [$"+variable(f.Name)+"]") {
				t.Errorf("%s: no variable in the help of --%s: %q", path, f.Name, f.Usage)
			}
		})
		command(t, nil, append(strings.Fields(path)[1:], "--help")...).want(t, 0, "Examples:", "Usage:")
	}
	walk(root)
	if visited < 20 {
		t.Errorf("only %d commands were visited", visited)
	}
	golden(t, "help-takeover", command(t, nil, "takeover", "--help").out)
	golden(t, "help", command(t, nil, "--help").out)
}

// TestVariables: a flag that is not given is its variable's value, and one without that is the command's own default, although
// commands share places for their flags.
func TestVariables(t *testing.T) {
	for _, c := range []struct {
		args []string
		env  []string
		want time.Duration
	}{{[]string{"takeover"}, nil, 2 * time.Minute}, {[]string{"status"}, nil, 15 * time.Second}, {[]string{"config", "reload"}, nil, 30 * time.Second},
		{[]string{"takeover"}, []string{"BATON_TIMEOUT=7s"}, 7 * time.Second}, {[]string{"takeover", "--timeout", "9s"}, []string{"BATON_TIMEOUT=7s"}, 9 * time.Second},
		{[]string{"takeover"}, []string{"BATON_TIMEOUT="}, 2 * time.Minute}} {
		var a *app
		command(t, func(x *app) { a, x.environ = x, append(x.environ, c.env...) }, c.args...).want(t, 5, "no Baton seems to run here")
		if a.flags.timeout != c.want {
			t.Errorf("%q with %q: --timeout is %v, want %v", c.args, c.env, a.flags.timeout, c.want)
		}
	}
}
