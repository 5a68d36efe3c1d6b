package dev

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const helpText = `  show [TOPIC[-N]]     brokers, Batons and partitions; why a partition has no leader
  load                 what the built-in producer has had acknowledged
  kill N               kill -9 of broker N          stop N      SIGTERM: a controlled shutdown
  pause N              SIGSTOP of broker N          restart N   start again, or go on
  cut N                separate broker N from the rest of the cluster             heal N
  kill baton           kill -9 of the active Baton  start baton
  handover             give the role to the other Baton
  handback, takeover   give the role to a broker and take it again (real brokers only)
  shrink [TOPIC-N]     make an ISR one dead broker (ledger-0)
  elect preferred TOPIC[-N]|all                     elect unclean TOPIC-N, which may lose records
  quit                 read everything back, judge and end`

// errQuit ends the prompt.
var errQuit = errors.New("quit")

// Prompt starts a world with topics and load and obeys the lines of in until quit or its end. It returns what Finish
// says.
func Prompt(ctx context.Context, o Options, out *Screen, in io.Reader) error {
	w, err := Start(ctx, o, out)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.begin(ctx); err != nil {
		return err
	}
	out.Say("any Kafka client may join at %s", join(w.Seeds()))
	out.Text(helpText)
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			lines <- s.Text()
		}
	}()
	for {
		w.elections.chapter()
		out.Prompt("baton> ")
		select {
		case line, ok := <-lines:
			if !ok {
				return w.Finish(ctx)
			}
			err := w.Obey(ctx, line)
			if errors.Is(err, errQuit) {
				return w.Finish(ctx)
			}
			if err != nil {
				out.Text("  " + err.Error())
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Obey carries out one line.
func (w *World) Obey(ctx context.Context, line string) error {
	words := strings.Fields(line)
	if len(words) == 0 {
		return nil
	}
	verb, arg := words[0], ""
	if len(words) > 1 {
		arg = words[1]
	}
	if arg == "baton" {
		return w.obeyBaton(verb)
	}
	switch verb {
	case "help", "?":
		w.out.Text(helpText)
	case "show", "list", "explain":
		w.out.Text(w.Show(arg))
	case "load":
		acked, failed := w.Acked()
		w.out.Say("%d messages acknowledged, %d errors", acked, failed)
	case "handover":
		to, err := w.Handover(ctx)
		if err == nil {
			w.out.Say("Baton %d holds the role", to)
		}
		return err
	case "takeover":
		return w.TakeOver(ctx)
	case "handback":
		_, err := w.HandBack(ctx)
		return err
	case "elect":
		return w.obeyElect(ctx, words[1:])
	case "shrink":
		return w.obeyShrink(ctx, arg)
	case "quit", "exit":
		return errQuit
	default:
		return w.obeyBroker(ctx, verb, arg)
	}
	return nil
}

func (w *World) obeyBaton(verb string) error {
	switch verb {
	case "kill":
		if b := w.active(); b != nil {
			w.out.Say("kill -9 of Baton %d; its session lasts another %v", b.id, w.cluster.Session)
			return w.KillBaton(b)
		}
		return errNoActive
	case "start", "restart":
		for _, b := range w.batons {
			if !b.running() {
				w.out.Say("Baton %d is started", b.id)
				return w.startBaton(b)
			}
		}
		return errors.New("both Batons run")
	}
	return fmt.Errorf("%s baton? kill or start", verb)
}

func (w *World) obeyElect(ctx context.Context, words []string) error {
	if len(words) == 2 && words[0] == "preferred" {
		return w.Elect(ctx, electPreferred, words[1])
	}
	if len(words) == 2 && words[0] == "unclean" {
		return w.Elect(ctx, electUnclean, words[1])
	}
	return errors.New("elect preferred TOPIC[-N]|all, or elect unclean TOPIC-N")
}

func (w *World) obeyShrink(ctx context.Context, arg string) error {
	id := ledger
	if arg != "" {
		var err error
		if id, err = parsePartition(arg); err != nil {
			return err
		}
	}
	if err := w.ShrinkToDead(ctx, id); err != nil {
		return err
	}
	p, _ := w.history.Partition(id)
	w.out.Text("  " + w.partitionText(p))
	return nil
}

func (w *World) obeyBroker(ctx context.Context, verb, arg string) error {
	acts := map[string]func(int32) error{
		"kill": w.Kill, "pause": w.Pause, "cut": w.Cut, "partition": w.Cut, "heal": w.Heal,
		"restart": func(id int32) error { return w.Restart(ctx, id) },
		"start":   func(id int32) error { return w.Restart(ctx, id) },
		"resume":  func(id int32) error { return w.Restart(ctx, id) },
		"stop": func(id int32) error {
			clean, err := w.Stop(ctx, id)
			if err == nil && !clean {
				err = fmt.Errorf("broker %d has gone without the controller's leave", id)
			}
			return err
		},
	}
	act := acts[verb]
	if act == nil {
		return fmt.Errorf("%s? Try help", verb)
	}
	id, err := strconv.ParseInt(arg, 10, 32)
	if err != nil {
		return fmt.Errorf("%s which broker? 1 to %d", verb, len(w.brokers))
	}
	return act(int32(id))
}
