package bench

import (
	"hash/fnv"
	"math"
	"strings"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/philox"
	"github.com/stheno-ml/stheno/nn"
)

// seed is that of weights, images and labels.
const seed = 1

// statistics are running averages by the names of their weights.
type statistics map[string][]float64

// begin gives m the weights, in float32, with which results are verified. They are chosen so that a mistake shows and rounding does not:
//
//   - Biases, scales and shifts, which usually begin at 0 and 1, where an engine that forgets them would not be found out, are moved.
//   - Batch norm leaves a deviation of ½ and shifts half of the channels up by 1½, the others down. Usually it centres its channels at the
//     edge of the ReLUs behind them, where rounding decides which derivative counts: gradients of ResNet-50 in float32 then differ by
//     some percent from those in float64, whoever computes them. Here so few numbers lie near an edge that it is some millionths.
func begin(m *nn.Model) error { return beginWith(m, nil) }

// beginWith is begin with the running averages of stats, where it has them.
func beginWith(m *nn.Model, stats statistics) error {
	if err := m.Initialize(seed, tensor.Float32); err != nil {
		return err
	}
	for _, w := range m.Weights() {
		values := w.Value.Data().([]float32)
		if s, ok := stats[w.Name]; ok {
			for i, v := range s {
				values[i] = float32(v)
			}
			continue
		}
		if len(w.Shape) != 1 {
			continue
		}
		noise := random(w.Name)
		for i := range values {
			switch {
			case strings.HasSuffix(w.Name, "/gamma"):
				values[i] *= 0.5
			case strings.HasSuffix(w.Name, "/beta"):
				values[i] += 1.5
				if !shiftedUp(i) {
					values[i] -= 3
				}
			}
			values[i] += 0.2 * (philox.Float32(noise.Uint32()) - 0.5)
		}
	}
	return nil
}

// shiftedUp says that channel i is one that goes on behind a ReLU. It is the same in all layers, so that what a residual block adds up has one
// sign. The order is one of chance, so that a mistake in some lanes of a vector meets channels that go on; the last channel of 64,
// 128, and so on, where ends of loops are, is one of them.
func shiftedUp(i int) bool {
	last := i&(i+1) == 0
	return last || philox.Block([4]uint32{uint32(i)}, philox.Key(seed))[0]>>31 == 0
}

// random draws numbers that depend on a name.
func random(name string) philox.Sequence {
	h := fnv.New64a()
	h.Write([]byte(name))
	n := h.Sum64()
	return philox.NewSequence(seed, uint32(n), uint32(n>>32), 0)
}

// batch is what a network is fed with: in all its places the images of a few, which were dealt like cards. A network takes from a batch in
// which every image is there equally often the same loss, gradients and statistics as from one with each of them once, so a small
// batch can tell what is right for a large one.
type batch struct {
	images   []float32 // (len(dealt), size, size, 3), mean 0 and deviation 1; nil of a raw batch
	pixels   []byte    // (len(dealt), size, size, 3) of a raw batch, which becomes such images: see raw.go
	draws    []int     // (len(dealt), 3) of a raw batch
	labels   []int
	dealt    []int // for each place, which of the few
	distinct int
}

// deal makes a batch of c of some different images; the first n of them are the same for every batch of the same network.
func deal(c Case, distinct int) *batch {
	return c.batchOf(distinct, c.Batch)
}

// few makes the batch of every image once.
func few(c Case, distinct int) *batch {
	return c.batchOf(distinct, distinct)
}

func (c Case) batchOf(distinct, n int) *batch {
	size := c.Size * c.Size * 3
	images := make([]float32, distinct*size)
	pixels := random("images")
	for i := range images {
		images[i] = 2 * float32(math.Sqrt(3)) * (philox.Float32(pixels.Uint32()) - 0.5)
	}
	b := c.dealt(distinct, n)
	b.images = spread(images, b.dealt, size)
	return b
}

// dealt makes a batch without images: labels, and who gets which.
func (c Case) dealt(distinct, n int) *batch {
	labels := make([]int, distinct)
	classes, cards := random("labels"), random("cards")
	for i := range labels {
		labels[i] = int(classes.Intn(uint32(c.Classes)))
	}
	b := &batch{dealt: make([]int, n), distinct: distinct}
	for i := range b.dealt {
		b.dealt[i] = i % distinct
	}
	if n != distinct {
		for i := n - 1; i > 0; i-- {
			j := int(cards.Intn(uint32(i + 1)))
			b.dealt[i], b.dealt[j] = b.dealt[j], b.dealt[i]
		}
	}
	b.labels = spread(labels, b.dealt, 1)
	return b
}

// spread puts what each place was dealt into it: so many elements of the few.
func spread[T any](few []T, dealt []int, size int) []T {
	all := make([]T, len(dealt)*size)
	for i, k := range dealt {
		copy(all[i*size:(i+1)*size], few[k*size:])
	}
	return all
}
