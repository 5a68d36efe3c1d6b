package conformance

// java is a case in which Java's client answers commands; a command's ROOT is the case's.
func java(name string, lines ...string) Case {
	return Case{Name: "java " + name, Java: true, Run: func(e *Env) {
		var commands, want []string
		for i := 0; i < len(lines); i += 2 {
			commands = append(commands, lines[i])
			want = append(want, lines[i+1])
		}
		list(e, "answers", e.Java(e, append([]string{"connect " + e.Addr + e.Root}, commands...)...), append([]string{"ok"}, want...)...)
	}}
}

func javaCases() []Case {
	cases := []Case{
		java("writes and reads",
			"create /x persistent one", "ok /x", "get /x", "ok one 0", "set /x 0 two", "ok 1", "get /x", "ok two 1",
			"create /x persistent y", "NODEEXISTS", "set /x 0 z", "BADVERSION", "delete /x 1", "ok", "get /x", "NONODE"),
		java("create modes",
			"create /e ephemeral x", "ok /e", "create /s- persistent_sequential x", "ok /s-0000000001",
			"create /t- ephemeral_sequential x", "ok /t-0000000002", "create /c container x", "ok /c",
			"create /e/y persistent x", "NOCHILDRENFOREPHEMERALS", "children /", "ok c e s-0000000001 t-0000000002"),
		java("create with Stat", "create2 /x persistent abc", "ok /x 0 3", "create2 /x persistent abc", "NODEEXISTS"),
		java("create with TTL", "ttl /x 1000", "UNIMPLEMENTED"),
		java("multi", "multi create:/a create:/a/b set:/a check:/a:1", "ok Create Create SetData Check",
			"multi create:/q check:/a:7 delete:/a", "BADVERSION 0 -103 -2", "get /q", "NONODE"),
		java("watches", "watch /x", "ok", "create /x persistent 1", "ok /x", "event", "ok NodeCreated /x",
			"watch /x", "ok", "set /x 0 2", "ok 1", "event", "ok NodeDataChanged /x", "watchchildren /", "ok", "delete /x 1", "ok",
			"event", "ok NodeChildrenChanged /"),
		java("reconnect keeps watches", "watch /x", "ok", "cut", "ok", "create /x persistent 1", "ok /x", "event", "ok NodeCreated /x"),
	}
	persistent := java("persistent and recursive watches", "addwatch / persistent_recursive", "ok", "create /x persistent 1", "ok /x",
		"event", "ok NodeCreated /x", "set /x 0 2", "ok 1", "event", "ok NodeDataChanged /x", "create /x/y persistent 1", "ok /x/y",
		"event", "ok NodeCreated /x/y")
	persistent.Min = v36
	persistent.Older = java("", "addwatch / persistent_recursive", "UNIMPLEMENTED").Run
	return append(cases, persistent)
}
