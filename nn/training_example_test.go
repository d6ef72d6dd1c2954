package nn_test

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	_ "github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// A training step of a network of one's own with everything that one may have: batch normalization, a residual
// connection, dropout and L2 penalties.
func ExampleNet_Cost() {
	const batch = 8
	b := nn.NewBuilder("residual")
	in := b.Input(nn.Shape{8, 8, 3})
	x := b.Add(nn.Conv2D{Filters: 8, Kernel: nn.K(3), Padding: nn.Same, KernelRegularizer: nn.L2(1e-4)}, in)
	y := b.Add(nn.Activation{Func: nn.ReLU}, b.Add(nn.BatchNormalization{}, x))
	y = b.Add(nn.Conv2D{Filters: 8, Kernel: nn.K(3), Padding: nn.Same}, y)
	x = b.Add(nn.Activation{Func: nn.ReLU}, b.Add(nn.Add{}, x, y))
	x = b.Add(nn.Dropout{Rate: 0.2}, b.Add(nn.Flatten{}, x))
	out := b.Add(nn.Dense{Units: 4, Activation: nn.Softmax}, x)
	model, err := b.Model(in, out)
	check(err)
	check(model.Initialize(1, tensor.Float32))

	g := gorgonia.NewGraph()
	net, err := model.Build(g, nn.BuildConfig{Batch: batch, Training: true, Seed: 1})
	check(err)
	labels := gorgonia.NewVector(g, tensor.Int, gorgonia.WithShape(batch), gorgonia.WithName("labels"))
	loss, err := nn.SparseCategoricalCrossentropy(net.Output, labels)
	check(err)
	cost, err := net.Cost(loss) // the penalties
	check(err)
	grads, err := gorgonia.Grad(cost, net.Trainable()...)
	check(err)
	rate := gorgonia.NewScalar(g, tensor.Float32, gorgonia.WithName("rate"), gorgonia.WithValue(gorgonia.NewF32(0.05)))
	updates := net.Updates // the running averages of batch normalization
	for i, w := range net.Trainable() {
		next, err := op.Apply(&op.Descend{}, w, grads[i], rate)
		check(err)
		updates = append(updates, op.Update{Target: w, New: next})
	}
	machine, err := graph.Compile(g, graph.WithOutputs(cost), graph.WithUpdates(updates...))
	check(err)
	defer machine.Close()

	images, classes := make([]float32, batch*8*8*3), make([]int, batch)
	for i := range images { // each class has a brightness of its own
		classes[i/(8*8*3)] = i / (8 * 8 * 3) % 4
		images[i] = float32(classes[i/(8*8*3)])/4 + float32(i%5)/20
	}
	step := gorgonia.NewI(0)
	check(gorgonia.Let(net.Input, tensor.New(tensor.WithShape(batch, 8, 8, 3), tensor.WithBacking(images))))
	check(gorgonia.Let(labels, tensor.New(tensor.WithShape(batch), tensor.WithBacking(classes))))
	check(gorgonia.Let(net.Step, step))
	var first, last float32
	for range 60 {
		check(machine.RunAll())
		*step++ // another dropout mask in the next step
		last = float32(*cost.Value().(*gorgonia.F32))
		if first == 0 {
			first = last
		}
	}
	fmt.Println("cost fell to less than half:", last < first/2)

	// The same weights in a graph for inference, one image at a time.
	one, err := model.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: 1})
	check(err)
	inference, err := graph.Compile(one.Graph, graph.WithOutputs(one.Output))
	check(err)
	defer inference.Close()
	check(gorgonia.Let(one.Input, tensor.New(tensor.WithShape(1, 8, 8, 3), tensor.WithBacking(images[:8*8*3]))))
	check(inference.RunAll())
	fmt.Println("probabilities:", one.Output.Value().Shape())
	// Output:
	// cost fell to less than half: true
	// probabilities: (1, 4)
}
