// Finetune trains a new head on a network that was trained before: the base's weights are frozen, and stay what they are.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

func main() {
	b := nn.NewBuilder("base")
	x := b.Input(nn.Shape{32, 32, 3})
	y := b.Add(nn.Conv2D{Filters: 16, Kernel: nn.K(3), Strides: nn.K(2), Activation: nn.ReLU}, x)
	y = b.Add(nn.SeparableConv2D{Filters: 32, Kernel: nn.K(3), Strides: nn.K(2), Activation: nn.ReLU}, y)
	base, err := b.Model(x, b.Add(nn.Flatten{}, y)) // or that of keras.Open("base.keras")
	check(err)
	sample, err := data.Sample()
	check(err)
	first := withHead(base, nn.Dense{Units: 10, Activation: nn.Softmax, Name: "first"})
	check(first.Initialize(1, tensor.Float32))
	fit(first, sample, 2, 2e-3)
	check(base.SetTrainable(false)) // Keras: base.trainable = False
	second := withHead(base, nn.Dense{Units: 10, Activation: nn.Softmax, Name: "second"})
	check(second.InitializeRest(2, tensor.Float32)) // the base has its values
	fmt.Print(second.Summary())
	fit(second, sample, 2, 2e-3)
	check(second.SetTrainable(true)) // and now all of it, with small steps; a graph that is built afterwards sees it
	fit(second, sample, 1, 1e-4)
}

// withHead puts a layer behind the base, whose weights the models share.
func withHead(base *nn.Model, head nn.Layer) *nn.Model {
	b := nn.NewBuilder("model")
	x := b.Input(base.InputShape())
	m, err := b.Model(x, b.Add(head, b.Add(base, x)))
	check(err)
	return m
}

// fit trains as Keras's model.fit does, and prints what evaluate says.
func fit(m *nn.Model, s *data.Split, epochs int, rate float64) {
	engine, err := cpu.New(cpu.Config{})
	check(err)
	defer engine.Close()
	images, err := data.NewLoader(s.Train, data.LoaderConfig{Batch: 50, Shuffle: true, Seed: 1, DropLast: true})
	check(err)
	opt, loss := train.Base{Optimizer: train.AdamW{}, GlobalClipNorm: 1}, nn.SparseCategoricalCrossentropyLoss{LabelSmoothing: 0.1}
	step, err := train.NewConfiguredStep(engine, m, opt, train.NewSlots(m, opt), train.StepConfig{Images: 50, Loss: loss})
	check(err)
	schedule := train.CosineSchedule{Base: rate, Total: epochs * images.Batches(), Warmup: images.Batches() / 5}
	for epoch, n := 0, 0; epoch < epochs; epoch++ {
		it := images.Epoch(epoch, 0)
		for ; it.Next(context.Background()); n++ {
			_, err := step.RunBatch(it.Batch(), schedule.At(n), n) // loss, top-1 and top-5 of the batch
			check(err)
		}
		check(errors.Join(it.Err(), it.Close()))
	}
	check(step.Close()) // now the model's tensors hold what was trained
	tests, err := data.NewLoader(s.Test, data.LoaderConfig{Batch: 50})
	check(err)
	e := train.Evaluator{Model: m, Engine: engine} // its Scores feed a metrics.Confusion and others
	result, err := e.Run(context.Background(), tests, nil)
	check(errors.Join(err, e.Close()))
	fmt.Printf("test: loss %.4f  top-1 %.1f%%\n", result.Loss(), 100*result.Top1())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
