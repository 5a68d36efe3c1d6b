package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// line is one line of results.jsonl: the beginning or the end of a test, or an embedded ZooKeeper that has stopped.
type line struct {
	Test    string `json:"test"` // JUnit's unique id; for a ZooKeeper of the test or class it was started for
	Display string `json:"display"`
	Class   string `json:"class"`
	Method  string `json:"method"` // empty for a class
	Status  string `json:"status"` // started, successful, failed, aborted, skipped
	Reason  string `json:"reason"`
	Trace   string `json:"trace"`
	Reached string `json:"reached"` // where the test asked a broker for its KafkaController
	Millis  int64  `json:"ms"`

	ZooKeeper string         `json:"zookeeper"` // directory of its transaction logs
	Batons    []batonOutcome `json:"batons"`
}

// batonOutcome is how the Baton of one chroot was when ZooKeeper was about to stop.
type batonOutcome struct {
	Chroot string `json:"chroot"`
	Alive  bool   `json:"alive"`
}

// readResults reads what the JVM has written. One that ended before its first test has written nothing.
func readResults(dir string) ([]line, error) {
	name := filepath.Join(dir, "results.jsonl")
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var lines []line
	r := bufio.NewScanner(f)
	r.Buffer(nil, 16<<20)
	for n := 1; r.Scan(); n++ {
		var l line
		if err := json.Unmarshal(r.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		lines = append(lines, l)
	}
	return lines, r.Err()
}
