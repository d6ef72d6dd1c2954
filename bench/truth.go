package bench

import (
	"context"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/bench/internal/reference"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// truth is what the reference computes for some different images, in float64.
type truth struct {
	by    string     // what the reference is, where it is another
	stats statistics // running averages to infer with; nil for training
	// Of a training step:
	loss   float64
	grads  map[string][]float64 // by weight
	before map[string][]float64 // the weights that it began with
	moved  map[string]moved     // running averages
	// Of inference: a row of scores for each image, those that the softmax turns into probabilities.
	scores []float64
}

// moved is how a running average moves: next = momentum·before + (1 − momentum)·batch.
type moved struct {
	momentum      float64
	before, batch []float64 // batch is the biased statistic
}

// modelOf makes the case's network in float64, with the weights that the case begins with.
func modelOf(c Case, stats statistics) (*nn.Model, error) {
	m, err := c.model()
	if err != nil {
		return nil, err
	}
	if err := beginWith(m, stats); err != nil {
		return nil, err
	}
	return m.Clone(tensor.Float64)
}

// forward adds m's graph for a batch.
func forward(c Case, m *nn.Model, b *batch, training bool) (*nn.Net, error) {
	g := gorgonia.NewGraph()
	wide := make([]float64, len(b.images))
	for i, v := range b.images {
		wide[i] = float64(v)
	}
	x := gorgonia.NewTensor(g, tensor.Float64, 4, gorgonia.WithName("images"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(b.distinct, c.Size, c.Size, 3), tensor.WithBacking(wide))))
	net, err := m.Build(g, nn.BuildConfig{Batch: b.distinct, Input: x, Training: training, Dtype: tensor.Float64, Seed: seed})
	if err == nil && net.Step != nil { // a subject's first step
		err = gorgonia.Let(net.Step, 0)
	}
	return net, err
}

// compute runs the graph on the reference engine and returns the values of nodes.
func compute(ctx context.Context, g *gorgonia.ExprGraph, nodes gorgonia.Nodes) ([][]float64, error) {
	m, err := graph.Compile(g, graph.WithEngine(reference.Engine{Check: ctx.Err}), graph.WithoutPasses(), graph.WithOutputs(nodes...))
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if err := m.RunAll(); err != nil {
		return nil, err
	}
	values := make([][]float64, len(nodes))
	for i, n := range nodes {
		v, err := m.Value(n)
		if err != nil {
			return nil, err
		}
		a, err := op.AsArray(v)
		if err != nil {
			return nil, err
		}
		values[i] = a.Data.([]float64)
	}
	return values, nil
}

// trainingTruth is that of the training steps of c's network on so many different images.
func trainingTruth(ctx context.Context, c Case, distinct int) (*truth, error) {
	m, err := modelOf(c, nil)
	if err != nil {
		return nil, err
	}
	b := few(c, distinct)
	net, err := forward(c, m, b, true)
	if err != nil {
		return nil, err
	}
	labels := gorgonia.NewVector(net.Graph, tensor.Int, gorgonia.WithShape(distinct), gorgonia.WithName("labels"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(distinct), tensor.WithBacking(b.labels))))
	loss, err := nn.SparseCategoricalCrossentropy(net.Output, labels)
	if err != nil {
		return nil, err
	}
	cost, err := net.Cost(loss)
	if err != nil {
		return nil, err
	}
	grads, err := gorgonia.Grad(cost, net.Trainable()...)
	if err != nil {
		return nil, err
	}
	nodes := append(gorgonia.Nodes{cost}, grads...)
	averages := averagesOf(net)
	for _, a := range averages {
		nodes = append(nodes, a.statistic)
	}
	values, err := compute(ctx, net.Graph, nodes)
	if err != nil {
		return nil, err
	}
	t := &truth{loss: values[0][0], grads: map[string][]float64{}, before: map[string][]float64{}, moved: map[string]moved{}}
	values = values[1:]
	for _, p := range net.Params {
		if p.Weight.Trainable {
			t.grads[p.Weight.Name], t.before[p.Weight.Name], values = values[0], p.Weight.Value.Data().([]float64), values[1:]
		}
	}
	for i, a := range averages {
		t.moved[a.weight.Name] = moved{a.momentum, a.weight.Value.Data().([]float64), values[i]}
	}
	return t, nil
}

// average is a running average of a network: a weight that moves towards a statistic of the batch.
type average struct {
	weight    *nn.Weight
	statistic *gorgonia.Node
	momentum  float64
	factor    float64 // of the statistic, which makes an unbiased variance of a biased one; it depends on the size of the batch
}

func averagesOf(net *nn.Net) (all []average) {
	for _, u := range net.Updates {
		o, ok := u.New.Op().(*op.MovingAverage)
		for _, p := range net.Params {
			if ok && p.Node == u.Target {
				all = append(all, average{p.Weight, op.Children(u.New)[1], o.Momentum, o.Factor})
			}
		}
	}
	return all
}

// inferenceTruth is that of the inference of c's network on so many different images. Where the network has running averages, they
// are those of these images: with the initial ones, 0 and 1, the numbers of a deep network grow until its softmax tells nothing.
func inferenceTruth(ctx context.Context, c Case, distinct int) (*truth, error) {
	m, err := modelOf(c, nil)
	if err != nil {
		return nil, err
	}
	b := few(c, distinct)
	net, err := forward(c, m, b, true)
	if err != nil {
		return nil, err
	}
	t := &truth{stats: statistics{}}
	averages := averagesOf(net)
	if len(averages) > 0 {
		var nodes gorgonia.Nodes
		for _, a := range averages {
			nodes = append(nodes, a.statistic)
		}
		values, err := compute(ctx, net.Graph, nodes)
		if err != nil {
			return nil, err
		}
		for i, a := range averages {
			t.stats[a.weight.Name] = values[i]
		}
		if m, err = modelOf(c, t.stats); err != nil {
			return nil, err
		}
	}
	if net, err = forward(c, m, b, false); err != nil {
		return nil, err
	}
	values, err := compute(ctx, net.Graph, gorgonia.Nodes{net.Logits})
	if err != nil {
		return nil, err
	}
	t.scores = values[0]
	return t, nil
}
