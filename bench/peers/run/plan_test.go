package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

func interruptible(t *testing.T, d *driver) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(d.ctx)
	t.Cleanup(func() { cancel(nil) })
	return ctx, cancel
}

func TestUsualCases(t *testing.T) {
	cases, err := selection{}.cases()
	if err != nil || len(cases) != 24 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, c := range cases {
		if wanted(c) < 1 {
			t.Errorf("%s: nothing is wanted", describe(c))
		}
	}
	slow := 0
	for _, c := range cases {
		if forSlow(c) {
			slow++
		}
	}
	if slow != len(usual) {
		t.Errorf("the slow contestants are in %d cases, want one of each of the %d rows", slow, len(usual))
	}
	if c := (peer.Case{Arch: "vgg16", Size: 32, Batch: 1, Threads: 2, Mode: peer.Inference}); wanted(c) != 1 {
		t.Errorf("VGG-16's batch of 1: wanted %v", wanted(c))
	}
	if c := (peer.Case{Arch: "vgg16", Size: 32, Batch: 3, Threads: 2, Mode: peer.Train}); wanted(c) != 0 || forSlow(c) {
		t.Error("something is wanted of an unusual case")
	}
	more, err := selection{families: true}.cases()
	if err != nil || len(more) != 27 {
		t.Fatalf("%d cases of families, %v", len(more), err)
	}
	for _, c := range more {
		if wanted(c) != 1 || forSlow(c) || gflop(c) == 0 || nets[c.Arch] == "" {
			t.Errorf("%s: wanted %v, slow ones %v, %v GFLOP, title %q", describe(c), wanted(c), forSlow(c), gflop(c), nets[c.Arch])
		}
	}
	if named, err := (selection{archs: []string{"vit-ti4", "vgg16"}, modes: []string{peer.Train}}).cases(); err != nil || len(named) != 5 {
		t.Errorf("%d cases of a net of each kind, %v", len(named), err)
	}
	if _, err := (selection{archs: []string{"lenet"}}).cases(); err == nil {
		t.Error("a net that there is not has cases")
	}
}

// A plan gets shorter with the time, and says how.
func TestPlansFitTheTime(t *testing.T) {
	d := fakes(t, [3]string{ours, "100", ""}, [3]string{tunedTorch, "a=10,b=30", ""}, [3]string{"torch2", "40", ""}, [3]string{"gorgonia", "4", ""})
	cases, err := selection{}.cases()
	if err != nil {
		t.Fatal(err)
	}
	if how, _ := d.plan(cases); how.rounds != d.rounds || how.seconds != d.seconds || !how.optional || !how.slow {
		t.Errorf("without a budget: %+v", how)
	}
	last := time.Duration(1 << 62)
	for _, budget := range []time.Duration{10 * time.Hour, time.Hour, 35 * time.Minute, 20 * time.Minute, 10 * time.Minute} {
		d.deadline = time.Now().Add(budget)
		how, total := d.plan(cases)
		if total > budget || total > last {
			t.Errorf("%v: %v takes %v", budget, how, total)
		}
		last = total
	}
	d.deadline = time.Now().Add(10 * time.Hour)
	if how, _ := d.plan(cases); how != plans[0] {
		t.Errorf("ten hours: %v", how)
	}
	d.deadline = time.Now().Add(time.Second)
	how, _ := d.plan(cases)
	if how != plans[len(plans)-1] {
		t.Errorf("a second: %v", how)
	}
	if s := how.String(); !strings.Contains(s, "without PyTorch 2, JAX") {
		t.Errorf("it does not say who is left out: %s", s)
	}

	// What the record knows counts: a contestant that takes half an hour to get ready.
	d.deadline = time.Now().Add(30 * time.Minute)
	if before, _ := d.plan(cases); !before.optional {
		t.Fatalf("half an hour: %v, so that nothing is left to take out", before)
	}
	d.past.add(&measurement{Case: cases[0], Entries: []*entry{{Key: "torch2", Version: "PyTorch 2 1", Ready: 1800,
		Result: peer.Result{Case: cases[0], ImagesPerSecond: 1, Rates: []float64{1}}}}})
	if after, _ := d.plan(cases); after.optional {
		t.Errorf("PyTorch 2 takes half an hour to get ready, and is in it: %v", after)
	}
}

func TestTheTimeIsKept(t *testing.T) {
	d := fakes(t, [3]string{ours, "100", ""}, [3]string{tunedTorch, "50", "hangs"})
	ctx, cancel := interruptible(t, d)
	d.ctx, d.deadline = ctx, time.Now().Add(2*time.Second)
	time.AfterFunc(2*time.Second, func() { cancel(errLate) })
	d.record, d.out = filepath.Join(t.TempDir(), "record.json"), filepath.Join(t.TempDir(), "cpu.md")
	if err := d.all([]peer.Case{training, inference}); !errors.Is(err, errLate) {
		t.Errorf("it ends with %v", err)
	}
	if spent := time.Since(d.deadline); spent > 5*time.Second {
		t.Errorf("%v too late", spent)
	}
	if !strings.Contains(read(d.out), "# On the CPU") {
		t.Error("no document was written")
	}
}

func TestRoundsEndWithTheTime(t *testing.T) {
	d := fakes(t, [3]string{ours, "100", ""}, [3]string{tunedTorch, "50", ""})
	d.deadline = time.Now().Add(grace / 2)
	m, err := d.measure(training, quick)
	if err != nil || len(m.entry(ours).Result.Rates) != 1 || len(m.entry(tunedTorch).Result.Rates) != 1 {
		t.Errorf("%v, %+v", err, m)
	}
}

// The record grows, a later run replaces what it measures again, and -resume goes on where the last one ended.
func TestTheRecordAccumulates(t *testing.T) {
	d := fakes(t, [3]string{ours, "100", ""}, [3]string{tunedTorch, "50", ""}, [3]string{"onnxruntime", "80", ""})
	folder := t.TempDir()
	d.record, d.out = filepath.Join(folder, "a", "record.json"), filepath.Join(folder, "b", "cpu.md")
	if err := d.all([]peer.Case{training}); err != nil {
		t.Fatal(err)
	}
	text := read(d.out)
	if !strings.Contains(text, "1 of 24 wanted ratios are reached") || strings.Contains(text, "## Inference") {
		t.Error(text)
	}
	if err := os.WriteFile(d.out, []byte(text+notesTitle+"\nBy hand.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var err error
	if d.past, err = readRecord(d.record); err != nil || len(d.past.Measurements) != 1 {
		t.Fatal(err, d.past)
	}
	d.resume = true
	if err := d.all([]peer.Case{training, inference}); err != nil {
		t.Fatal(err)
	}
	if n := len(d.starts(ours)); n != 2 {
		t.Errorf("%d starts, want one of each case", n)
	}
	text = read(d.out)
	if !strings.Contains(text, "1 of 24 wanted ratios are reached") || !strings.Contains(text, "missed by 3.8 %") || !strings.HasSuffix(text, notesTitle+"\nBy hand.\n") {
		t.Error(text)
	}
	d.rounds = 5 // more than the record has
	if err := d.all([]peer.Case{training, inference}); err != nil || len(d.starts(ours)) != 4 || len(d.past.Measurements) != 2 {
		t.Errorf("%v, starts %q", err, d.starts(ours))
	}
	d.rounds, d.show, d.resume = 3, true, false
	if err := d.all([]peer.Case{training}); err != nil || len(d.starts(ours)) != 4 {
		t.Errorf("a plan alone: %v, starts %q", err, d.starts(ours))
	}
}

func TestRecordsThatAreBroken(t *testing.T) {
	name := filepath.Join(t.TempDir(), "record.json")
	if err := os.WriteFile(name, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readRecord(name); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a broken record: %v", err)
	}
	if err := os.WriteFile(name, []byte(`{"machine": {"cpu": "Z80", "processors": 1}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	err := run(options{record: name}, t.Output())
	if err == nil || !strings.Contains(err.Error(), "another machine, Z80") {
		t.Errorf("a record of another machine: %v", err)
	}
}
