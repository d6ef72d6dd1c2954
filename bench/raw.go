package bench

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// An engine with a memory of its own is fed as training and evaluation feed it: with images as bytes, of which op.Augment makes numbers.

// padding is how far images are moved at most in training.
const padding = 4

// normalize makes numbers of mean 0 and deviation 1 of bytes that are all equally frequent.
var normalize = data.Normalize{Mean: []float32{0.5, 0.5, 0.5}, Std: same(float32(math.Sqrt((256*256-1)/12.0) / 255))}

func same(v float32) []float32 { return []float32{v, v, v} }

// dealFor is deal in the form that the engine is fed with.
func dealFor(e graph.Engine, c Case, distinct int) *batch {
	if graph.IsRemote(e) {
		return c.raw(distinct, c.Batch)
	}
	return deal(c, distinct)
}

// raw makes a raw batch of n images, of which so many are distinct. The first of them are the same for every batch of the same network and
// mode.
func (c Case) raw(distinct, n int) *batch {
	size := c.Size * c.Size * 3
	pixels, draws := make([]byte, distinct*size), make([]int, distinct*3)
	values, chances := random("images"), random("draws")
	for i := range pixels {
		pixels[i] = byte(values.Uint32() >> 24)
	}
	if c.Mode == Train {
		most := c.padding()
		for i := range distinct {
			for k := range 2 {
				draws[3*i+k] = int(chances.Intn(uint32(2*most+1))) - most
			}
			draws[3*i+2] = int(chances.Intn(2))
		}
	}
	b := c.dealt(distinct, n)
	b.pixels, b.draws = spread(pixels, b.dealt, size), spread(draws, b.dealt, 3)
	return b
}

// padding is that of c's images: small ones may be moved less.
func (c Case) padding() int {
	if c.Mode != Train {
		return 0
	}
	return min(padding, c.Size-1)
}

// data is the batch as a loader makes them.
func (b *batch) data() *data.Batch {
	return &data.Batch{N: len(b.labels), Images: b.images, Labels: b.labels, Pixels: b.pixels, Draws: b.draws}
}

// loader tells a step how to make images of the batch.
func (b *batch) loader(c Case) (*data.Loader, error) {
	set := &data.Dataset{Name: "bench", Shape: [3]int{c.Size, c.Size, 3}, Classes: make([]string, c.Classes), Images: b.pixels, Labels: make([]int32, len(b.labels))}
	for i := range set.Classes {
		set.Classes[i] = fmt.Sprint(i)
	}
	for i, l := range b.labels {
		set.Labels[i] = int32(l)
	}
	return data.NewLoader(set, data.LoaderConfig{Batch: c.Batch, Raw: true, Normalize: normalize, Augment: data.Augment{PadCrop: c.padding(), HorizontalFlip: true}})
}

// node is the network's input: the images themselves, or what is made of bytes.
func (b *batch) node(g *gorgonia.ExprGraph, c Case) (*gorgonia.Node, error) {
	shape := tensor.WithShape(c.Batch, c.Size, c.Size, 3)
	if b.pixels == nil {
		return gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithName("images"), gorgonia.WithValue(tensor.New(shape, tensor.WithBacking(b.images)))), nil
	}
	pixels := gorgonia.NewTensor(g, tensor.Uint8, 4, gorgonia.WithName("images"), gorgonia.WithValue(tensor.New(shape, tensor.WithBacking(b.pixels))))
	draws := gorgonia.NewMatrix(g, tensor.Int, gorgonia.WithName("draws"), gorgonia.WithValue(tensor.New(tensor.WithShape(c.Batch, 3), tensor.WithBacking(b.draws))))
	return op.Apply(&op.Augment{Padding: c.padding(), Mean: normalize.Mean, Std: normalize.Std}, pixels, draws)
}
