package arch_test

import (
	"fmt"
	"log"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/nn"
)

// A network of this package inside a plain Gorgonia program: Gorgonia's graph, its derivatives, its machine and its
// solver.
func Example() {
	const batch, classes = 2, 5
	g := gorgonia.NewGraph()
	x := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(batch, 12, 12, 3), gorgonia.WithName("x"))
	y := gorgonia.NewVector(g, tensor.Int, gorgonia.WithShape(batch), gorgonia.WithName("y"))

	net, err := arch.SimpleCNN{Input: nn.Shape{12, 12, 3}, Classes: classes}.Build(g, x)
	check(err)
	loss, err := nn.SparseCategoricalCrossentropy(net.Output, y)
	check(err)
	_, err = gorgonia.Grad(loss, net.Trainable()...)
	check(err)

	vm := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(net.Trainable()...))
	defer vm.Close()
	solver := gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.05))

	pixels := make([]float32, batch*12*12*3)
	for i := range pixels {
		pixels[i] = float32(i%11) / 11 * float32(1+i/(12*12*3)) // the second image is brighter
	}
	check(gorgonia.Let(x, tensor.New(tensor.WithShape(batch, 12, 12, 3), tensor.WithBacking(pixels))))
	check(gorgonia.Let(y, tensor.New(tensor.WithShape(batch), tensor.WithBacking([]int{1, 3}))))

	var first, last float32
	for step := range 25 {
		check(vm.RunAll())
		last = loss.Value().Data().(float32)
		if step == 0 {
			first = last
		}
		check(solver.Step(gorgonia.NodesToValueGrads(net.Trainable())))
		vm.Reset()
	}
	fmt.Println("weights:", len(net.Params), "loss has fallen:", last < first/2)
	// Output: weights: 8 loss has fallen: true
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
