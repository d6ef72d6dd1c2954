// Stheno is the project itself as a contestant of bench/peers, on its CPU engine: see package peer for the arguments. "stheno bench"
// times the same steps; this program does it in turns with others.
package main

import (
	"fmt"
	"math/rand/v2"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/bench/peers/peer"
	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

func main() {
	peer.Main(peer.Contestant{Framework: "Stheno", Version: commit, Prepare: prepare,
		Configs: func(peer.Case) []string { return []string{"cpu"} }})
}

// commit is that of the sources; the linker sets it.
var commit = "unknown"

func prepare(c peer.Case, _ string) (in peer.Instance, err error) {
	a, err := arch.ByName(c.Arch, arch.Config{Input: nn.Shape{c.Size, c.Size, 3}, Classes: peer.Classes})
	if err != nil {
		return in, fmt.Errorf("%w: %w", peer.ErrCannot, err)
	}
	m, err := a.Model()
	if err != nil {
		return in, err
	}
	if err := m.Initialize(1, tensor.Float32); err != nil {
		return in, err
	}
	e, err := cpu.New(cpu.Config{Threads: c.Threads})
	if err != nil {
		return in, err
	}
	random := rand.New(rand.NewPCG(1, 2))
	images, labels := make([]float32, c.Batch*c.Size*c.Size*3), make([]int, c.Batch)
	for i := range images {
		images[i] = random.Float32()
	}
	for i := range labels {
		labels[i] = random.IntN(peer.Classes)
	}
	if c.Mode == peer.Inference {
		return inference(e, m, c, images)
	}
	optimizer := train.SGD{Momentum: 0.9}
	step, err := train.NewTrainStep(e, m, optimizer, train.NewSlots(m, optimizer), c.Batch, 1)
	if err != nil {
		return in, err
	}
	steps, last := 0, train.StepResult{}
	in.Step = func() (err error) {
		last, err = step.Run(images, labels, 1e-4, steps)
		steps++
		return err
	}
	in.Loss = func() float64 { return last.Loss }
	return in, nil
}

func inference(e graph.Engine, m *nn.Model, c peer.Case, images []float32) (in peer.Instance, err error) {
	g := gorgonia.NewGraph()
	x := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithName("images"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(c.Batch, c.Size, c.Size, 3), tensor.WithBacking(images))))
	net, err := m.Build(g, nn.BuildConfig{Batch: c.Batch, Input: x, Dtype: tensor.Float32})
	if err != nil {
		return in, err
	}
	machine, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(net.Output), graph.WithResident(net.Nodes()...))
	if err != nil {
		return in, err
	}
	in.Step = machine.RunAll
	in.Rows = func() (rows [][]float32) {
		v, err := machine.Value(net.Output)
		if err != nil {
			return [][]float32{nil} // which is no row of probabilities
		}
		all := v.Data().([]float32)
		for i := range min(2, c.Batch) {
			rows = append(rows, all[i*peer.Classes:(i+1)*peer.Classes])
		}
		return rows
	}
	return in, nil
}
