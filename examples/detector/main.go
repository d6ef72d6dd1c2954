// Detector finds squares in noisy pictures, bright ones and dark ones, with a head like that of YOLO: features of two sizes,
// one of them enlarged, put together; for each cell of a grid the network says which kind of square has its centre there, and
// where in the cell.
package main

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/examples/internal/demo"
)

const (
	batch = 8
	size  = 32
	cell  = 4 // pixels a side of a cell
	cells = size / cell
	side  = 6 // pixels a side of a square
)

func main() { demo.Main(build) }

func build(dt tensor.Dtype) (*demo.Model, error) {
	p := demo.NewParams(dt)
	x := p.Input("x", batch, 1, size, size)
	kind := p.Input("kind", batch, 2, cells, cells)   // 1 where the centre of a bright or a dark square is, else 0
	place := p.Input("place", batch, 2, cells, cells) // of the centre in its cell: down and across, from 0 to 1
	mask := p.Input("mask", batch, 2, cells, cells)   // places count only in cells that have a centre

	h := half(leaky(p.Conv(x, 8, 3, 1)))
	fine := half(leaky(p.Conv(h, 16, 3, 1)))      // cells × cells
	coarse := half(leaky(p.Conv(fine, 32, 3, 1))) // sees more of the picture
	enlarged := gorgonia.Must(gorgonia.Upsample2D(leaky(p.Conv(coarse, 16, 1, 1)), 2))
	both := gorgonia.Must(gorgonia.Concat(1, enlarged, fine))
	out := p.Conv(leaky(p.Conv(both, 16, 3, 1)), 4, 1, 1)

	// Slices of one channel would be simpler, but Gorgonia's gradient of those is wrong.
	kinds := gorgonia.Must(gorgonia.Sigmoid(gorgonia.Must(gorgonia.Slice(out, nil, gorgonia.S(0, 2)))))
	places := gorgonia.Must(gorgonia.Sigmoid(gorgonia.Must(gorgonia.Slice(out, nil, gorgonia.S(2, 4)))))
	offPlace := gorgonia.Must(gorgonia.HadamardProd(mask, gorgonia.Must(gorgonia.Sub(places, place))))
	perImage := p.Const(1.0 / batch)
	cost := gorgonia.Must(gorgonia.Mul(perImage, gorgonia.Must(gorgonia.Add(squares(gorgonia.Must(gorgonia.Sub(kinds, kind))), squares(offPlace)))))

	r := demo.Rand()
	return &demo.Model{
		Cost: cost, Weights: p.Nodes, Solver: gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.003)),
		Batch: func(int) error {
			picture := make([]float64, batch*size*size)
			for i := range picture {
				picture[i] = 0.3 * r.NormFloat64()
			}
			var what, where, here [batch * 2 * cells * cells]float64
			for n := range batch {
				top, left, dark := r.IntN(size-side+1), r.IntN(size-side+1), r.IntN(2)
				for row := top; row < top+side; row++ {
					for col := left; col < left+side; col++ {
						picture[(n*size+row)*size+col] += 1 - 2*float64(dark)
					}
				}
				down, across := top+side/2, left+side/2
				at := func(channel int) int { return ((2*n+channel)*cells+down/cell)*cells + across/cell }
				what[at(dark)] = 1
				where[at(0)], where[at(1)] = float64(down%cell)/cell, float64(across%cell)/cell
				here[at(0)], here[at(1)] = 1, 1
			}
			for node, numbers := range map[*gorgonia.Node][]float64{x: picture, kind: what[:], place: where[:], mask: here[:]} {
				if err := gorgonia.Let(node, demo.Dense(dt, numbers, node.Shape()...)); err != nil {
					return fmt.Errorf("%s: %w", node.Name(), err)
				}
			}
			return nil
		},
	}, nil
}

func leaky(x *gorgonia.Node) *gorgonia.Node { return gorgonia.Must(gorgonia.LeakyRelu(x, 0.1)) }

func half(x *gorgonia.Node) *gorgonia.Node {
	return gorgonia.Must(gorgonia.MaxPool2D(x, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
}

func squares(x *gorgonia.Node) *gorgonia.Node {
	return gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.Square(x))))
}
