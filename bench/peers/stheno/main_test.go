package main

import (
	"math"
	"testing"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

// What is timed is right: the loss falls, it does not depend on the number of threads, and neither do probabilities, nor on the batch.
// Package bench compares the same steps with a reference in float64.
func TestPrepare(t *testing.T) {
	var losses [2][]float64
	for i := range losses {
		in, err := prepare(peer.Case{Arch: "simplecnn", Size: 32, Batch: 8, Threads: i + 1, Mode: peer.Train}, "cpu")
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			if err := in.Step(); err != nil {
				t.Fatal(err)
			}
			losses[i] = append(losses[i], in.Loss())
		}
		if n := len(losses[i]) - 1; !(losses[i][n] < losses[i][0]) {
			t.Errorf("%d threads: the loss does not fall: %v", i+1, losses[i])
		}
	}
	for j := range losses[0] {
		if losses[0][j] != losses[1][j] {
			t.Errorf("losses depend on threads: %v", losses)
			break
		}
	}
	var rows [3][][]float32
	for i, batch := range []int{1, 2, 8} {
		in, err := prepare(peer.Case{Arch: "simplecnn", Size: 32, Batch: batch, Threads: 2, Mode: peer.Inference}, "cpu")
		if err != nil {
			t.Fatal(err)
		}
		if err := in.Step(); err != nil {
			t.Fatal(err)
		}
		rows[i] = in.Rows()
	}
	for i := range rows {
		sum := 0.0
		for j, p := range rows[i][0] {
			sum += float64(p)
			if d := math.Abs(float64(p - rows[0][0][j])); d > 1e-6 {
				t.Errorf("batch %d: class %d differs by %g from that of a batch of 1", i, j, d)
			}
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Errorf("probabilities sum to %v", sum)
		}
	}
}

func TestAnUnknownNetIsACaseThatCannotBeDone(t *testing.T) {
	if _, err := prepare(peer.Case{Arch: "lenet", Size: 32, Batch: 1, Threads: 1, Mode: peer.Train}, "cpu"); err == nil {
		t.Error("lenet is prepared")
	}
}
