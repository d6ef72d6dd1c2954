package kernel

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	registerFloats(map[string]Prepare{
		"LayerNorm": layerNorm,
		"LayerNormGrad": func(b *Builder, s *graph.Step) ([]Command, error) {
			o := s.Instr.(*op.LayerNormGrad)
			return b.layerNormGrad(s, &graph.LayerNormBackward{Epsilon: o.Epsilon, NoScale: o.NoScale}, true), nil
		},
		"LayerNormGradScale": func(b *Builder, s *graph.Step) ([]Command, error) {
			o := s.Instr.(*op.LayerNormGradScale)
			return b.layerNormGrad(s, &graph.LayerNormBackward{Epsilon: o.Epsilon, NoScale: true, Scale: true}, false), nil
		},
		"LayerNormBackward": func(b *Builder, s *graph.Step) ([]Command, error) {
			return b.layerNormGrad(s, s.Instr.(*graph.LayerNormBackward), true), nil
		},
	})
	registerNarrow(map[string]narrowing{
		"LayerNorm":          {in: operands(0), out: operands(0), gains: true},
		"LayerNormGrad":      {in: full, out: operands(0), gains: true},
		"LayerNormGradScale": {in: operands(0, 1), gains: true},
		"LayerNormBackward": {in: func(s *graph.Step, i int) bool { return i == 0 || i >= s.Instr.(*graph.LayerNormBackward).Gradient() },
			out: operands(0), gains: true},
	})
}

const (
	// heldForward and heldBackward are how many elements of a row a thread keeps in registers at most: backwards it has two rows and two sums.
	heldForward, heldBackward = 32, 16
	// normRows is up to how many rows one thread sums: sums of float32 that are no longer stay as good as short ones.
	normRows = 512
	// joinWidth and joinSubs are JOIN_WIDTH and JOIN_SUBS of layer_norm.cu.
	joinWidth, joinSubs = 32, 8
)

// rowTile is how rows of a length are shared.
type rowTile struct {
	pack, packs, held int
	block             Dim3
}

// rowTile gives a row the fewest threads, a warp or a power of two of them, that hold it in registers; where no block does, all of a block.
func (b *Builder) rowTile(c, held int, operands ...*graph.Value) rowTile {
	t := rowTile{pack: packOf(c, operands...)}
	t.packs = c / t.pack
	for x := 32; x <= threads; x *= 2 {
		own := 1
		for own*x < t.packs {
			own *= 2
		}
		if own*t.pack <= held {
			t.held, t.block = own, Dim3{X: x}
			if x == 32 {
				t.block.Y = threads / 32
			}
			return t
		}
	}
	t.block = Dim3{X: threads}
	return t
}

// rows is the number of rows of a block.
func (t rowTile) rows() int { return max(t.block.Y, 1) }

func (t rowTile) defines(d storage) storage {
	return append(d.pack(t.pack), fmt.Sprint("HELD ", t.held))
}

// lastAxis returns the number of rows of a step's first operand, and their length.
func lastAxis(s *graph.Step) (rows, c int) {
	x := s.In[0].Shape
	c = x[len(x)-1]
	return s.In[0].Len() / c, c
}

func layerNorm(b *Builder, s *graph.Step) ([]Command, error) {
	o, dt, x, y := s.Instr.(*op.LayerNorm), s.Out[0].Dtype, s.In[0], s.Out[0]
	rows, c := lastAxis(s)
	t := b.rowTile(c, heldForward, x, y)
	d := storage{}.as("SX", x).as("SY", y)
	scale, shift := In(0), In(0) // which the kernel does not look at if they are not there
	if o.NoScale {
		d = append(d, "NO_SCALE")
	} else {
		scale = In(1)
	}
	if o.NoShift {
		d = append(d, "NO_SHIFT")
	} else {
		shift = In(len(s.In) - 1)
	}
	blocks := min(ceilDiv(rows, t.rows()), 16*max(b.Multiprocessors, 1)*threads/(t.block.X*t.rows()))
	return []Command{&Launch{Source: File("layer_norm.cu", dt, t.defines(d)...), Name: "layer_norm", Grid: Dim3{X: blocks}, Block: t.block,
		Args: []any{Out(0), In(0), scale, shift, int64(rows), int32(t.packs), number(dt, float64(c)), number(dt, o.Epsilon)}}}, nil
}

// layerNormGrad computes the gradients that f says, and that of the input if so.
func (b *Builder) layerNormGrad(s *graph.Step, f *graph.LayerNormBackward, input bool) []Command {
	dt, x, dy := s.Out[0].Dtype, s.In[0], s.In[f.Gradient()]
	rows, c := lastAxis(s)
	images, out := []*graph.Value{x, dy}, 0
	d := storage{}.as("SX", x).as("SDY", dy)
	dx, scale, z := In(0), In(0), In(0) // as above
	if input {
		dx, out, images = Out(0), 1, append(images, s.Out[0])
		d = append(d.as("SDX", s.Out[0]), "INPUT")
	}
	if f.NoScale {
		d = append(d, "NO_SCALE")
	} else {
		scale = In(1)
	}
	if f.Add {
		i := len(s.In) - 1
		z, images = In(i), append(images, s.In[i])
		d = append(d.as("SZ", s.In[i]), "ADD")
	}
	var results []any
	if f.Scale {
		d, results, out = append(d, "DSCALE"), append(results, Out(out)), out+1
	}
	if f.Shift {
		d, results = append(d, "DSHIFT"), append(results, Out(out))
	}
	t, sums := b.rowTile(c, heldBackward, images...), len(results)
	groups := ceilDiv(rows, t.rows())
	blocks := min(groups, 4*max(b.Multiprocessors, 1)*threads/(t.block.X*t.rows()))
	if sums > 0 {
		blocks = max(blocks, ceilDiv(groups, normRows))
	}
	partial := b.Scratch(int64(blocks) * int64(sums) * int64(c) * int64(dt.Size()))
	commands := []Command{&Launch{Source: File("layer_norm.cu", dt, t.defines(d)...), Name: "layer_norm_grad", Grid: Dim3{X: blocks}, Block: t.block,
		Args: []any{dx, partial, In(0), scale, In(f.Gradient()), z, int64(rows), int32(t.packs), number(dt, float64(c)), number(dt, f.Epsilon)}}}
	if sums == 0 {
		return commands
	}
	if sums == 1 {
		results = append(results, results[0])
	}
	return append(commands, layerNormJoin(dt, append(results, partial, int64(blocks), int64(c), int64(sums)), sums*c))
}

// layerNormJoin puts the sums of the blocks together, of so many elements.
func layerNormJoin(dt tensor.Dtype, args []any, elements int) *Launch {
	return &Launch{Source: File("layer_norm.cu", dt, "PACK 1", "HELD 1"), Name: "layer_norm_join", Grid: Dim3{X: ceilDiv(elements, joinWidth)},
		Block: Dim3{X: joinWidth, Y: joinSubs}, Args: args}
}
