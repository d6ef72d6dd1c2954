// Stheno is the project itself as a contestant of bench/peers, on its CPU engine: see package peer for the arguments. "stheno bench"
// times the same steps, which are those of bench.Prepare; this program does it in turns with others.
package main

import (
	"fmt"
	"slices"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/bench"
	"github.com/stheno-ml/stheno/bench/peers/peer"
	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/train"
)

func main() {
	peer.Main(peer.Contestant{Framework: "Stheno", Version: commit, Prepare: prepare,
		Configs: func(peer.Case) []string { return []string{"cpu"} }})
}

// commit is that of the sources; the linker sets it.
var commit = "unknown"

func prepare(c peer.Case, _ string) (in peer.Instance, err error) {
	if !slices.Contains(arch.Names(), c.Arch) {
		return in, fmt.Errorf("%w: there is no net %q", peer.ErrCannot, c.Arch)
	}
	e, err := cpu.New(cpu.Config{Threads: c.Threads})
	if err != nil {
		return in, err
	}
	s, err := bench.Prepare(e, bench.Case{Arch: c.Arch, Size: c.Size, Classes: peer.Classes, Batch: c.Batch, Device: "cpu", Threads: c.Threads,
		Mode: bench.Mode(c.Mode), Precision: train.FP32})
	if err != nil {
		return in, err
	}
	in.Step, in.Loss = s.Run, s.Loss
	in.Rows = func() (rows [][]float32) {
		return slices.Collect(slices.Chunk(s.Probabilities()[:min(2, c.Batch)*peer.Classes], peer.Classes))
	}
	return in, nil
}
