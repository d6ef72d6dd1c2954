// Gorgonia is stock Gorgonia as a contestant of bench/peers: the project's nets of Gorgonia's own operations, run by its own tape
// machine, with its own solver. See package peer for the arguments.
package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

func main() {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "gorgonia.org/gorgonia" {
				version = m.Version
			}
		}
	}
	peer.Main(peer.Contestant{Framework: "Gorgonia", Version: version, Prepare: prepare,
		Configs: func(peer.Case) []string { return []string{"tape machine"} }})
}

func prepare(c peer.Case, _ string) (in peer.Instance, err error) {
	// Gorgonia panics where graphs are wrong or memory is short.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: Gorgonia panics: %v", peer.ErrCannot, p)
		}
	}()
	build, ok := nets[c.Arch]
	if !ok {
		return in, fmt.Errorf("%w: there is no net %q", peer.ErrCannot, c.Arch)
	}
	in.Batch = min(c.Batch, max(1, largest(c.Mode)/(c.Size*c.Size)))
	c.Batch = in.Batch
	runtime.GOMAXPROCS(c.Threads)
	b := newBuilder()
	logits := build(b, b.images(c.Batch, c.Size))
	var result gorgonia.Value
	if c.Mode == peer.Inference {
		gorgonia.Read(must(gorgonia.SoftMax(logits)), &result)
		vm := gorgonia.NewTapeMachine(b.g, gorgonia.EvalMode())
		for _, norm := range b.norms {
			if err := norm.SetStats(stats(norm)); err != nil {
				return in, err
			}
		}
		in.Step = func() error {
			defer vm.Reset()
			return vm.RunAll()
		}
		in.Rows = func() (rows [][]float32) {
			all := result.Data().([]float32)
			for i := range min(2, c.Batch) {
				rows = append(rows, all[i*peer.Classes:(i+1)*peer.Classes])
			}
			return rows
		}
		return in, nil
	}
	cost := b.crossEntropy(logits)
	gorgonia.Read(cost, &result)
	if _, err := gorgonia.Grad(cost, b.weights...); err != nil {
		return in, err
	}
	vm := gorgonia.NewTapeMachine(b.g, gorgonia.BindDualValues(b.weights...))
	weights, solver := gorgonia.NodesToValueGrads(b.weights), gorgonia.NewMomentum(gorgonia.WithLearnRate(1e-4), gorgonia.WithMomentum(0.9))
	in.Step = func() error {
		defer vm.Reset()
		if err := vm.RunAll(); err != nil {
			return err
		}
		return solver.Step(weights)
	}
	in.Loss = func() float64 { return float64(result.Data().(float32)) }
	return in, nil
}

// stats are running averages for a net that has never been trained: means of 0, variances of 9, so that sums do not grow.
func stats(norm *gorgonia.BatchNormOp) (mean, variance tensor.Tensor) {
	like, _ := norm.Stats()
	means, variances := make([]float32, like.Size()), make([]float32, like.Size())
	for i := range variances {
		variances[i] = 9
	}
	shape := tensor.WithShape(like.Shape()...)
	return tensor.New(shape, tensor.WithBacking(means)), tensor.New(shape, tensor.WithBacking(variances))
}

// largest is the number of pixels that a batch may have here: Gorgonia keeps the patches of every convolution in memory.
func largest(mode string) int {
	if mode == peer.Train {
		return 4 * 224 * 224
	}
	return 16 * 224 * 224
}
