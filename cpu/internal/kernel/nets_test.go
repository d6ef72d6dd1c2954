package kernel

import (
	"fmt"
	"slices"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// net is the convolutions of a net of this project, for benchmarks.
type net struct {
	name    string
	padding shape.PadMode
	batches []int // that its ways are compared with
	convs   []netConv
}

// netConv is a convolution of a net over square maps, and how often the net has it.
type netConv struct{ count, size, c, kernel, f, stride int }

var nets = []net{
	{"vgg16@32", shape.Same, []int{1, 32, 64}, []netConv{
		{1, 32, 3, 3, 64, 1}, {1, 32, 64, 3, 64, 1}, {1, 16, 64, 3, 128, 1}, {1, 16, 128, 3, 128, 1}, {1, 8, 128, 3, 256, 1},
		{2, 8, 256, 3, 256, 1}, {1, 4, 256, 3, 512, 1}, {2, 4, 512, 3, 512, 1}, {3, 2, 512, 3, 512, 1}}},
	{"resnet50@224", shape.Same, []int{1, 16}, resnetConvs(224)},
	{"resnet50@32", shape.Same, []int{1, 32, 64}, resnetConvs(32)},
	{"simplecnn@32", shape.Valid, []int{1, 16, 64}, []netConv{{1, 32, 3, 3, 16, 1}, {1, 15, 16, 3, 32, 1}, {1, 6, 32, 3, 64, 1}}},
}

func resnetConvs(size int) []netConv {
	convs := []netConv{{1, size, 3, 7, 64, 2}}
	at, in := size/4, 64
	for i, blocks := range []int{3, 4, 6, 3} {
		stride := min(i+1, 2)
		f := 64 << i
		out := at / stride
		convs = append(convs, netConv{1, at, in, 1, f, 1}, netConv{1, at, f, 3, f, stride}, netConv{blocks, out, f, 1, 4 * f, 1},
			netConv{1, at, in, 1, 4 * f, stride}, netConv{blocks - 1, out, 4 * f, 1, f, 1}, netConv{blocks - 1, out, f, 3, f, 1})
		at, in = out, 4*f
	}
	return convs
}

func (n netConv) String() string {
	return fmt.Sprintf("%dx%d/%d,%d→%d@%d", n.kernel, n.kernel, n.stride, n.c, n.f, n.size)
}

// layer is a convolution of the net.
func (n net) layer(c netConv, batch int) convCase {
	a := op.ConvAttrs{Strides: [2]int{c.stride, c.stride}, Padding: shape.Padding{Mode: n.padding}}
	return convCase{batch, c.size, c.size, c.c, c.kernel, c.kernel, c.f, a, ""}
}

// netConvs are the convolutions of nets with a choice, each once.
func netConvs() (list []convCase) {
	for _, n := range nets {
		for _, batch := range n.batches {
			for _, c := range n.convs {
				if layer := n.layer(c, batch); c.kernel > 1 && !slices.Contains(list, layer) {
					list = append(list, layer)
				}
			}
		}
	}
	return list
}
