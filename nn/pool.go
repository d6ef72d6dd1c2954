package nn

import (
	"cmp"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// MaxPooling2D is the maximum over windows of each channel. Input and result (None, rows, columns, channels), or
// channels first.
type MaxPooling2D struct {
	Pool    [2]int  // pool_size: rows, columns; 0 means 2
	Strides [2]int  // strides; 0 means the pool's size
	Padding Padding // padding; Valid by default
	Name    string
}

// AveragePooling2D is the mean over windows of each channel, padding left out. Shapes and fields as in
// [MaxPooling2D].
type AveragePooling2D struct {
	Pool    [2]int  // pool_size: rows, columns; 0 means 2
	Strides [2]int  // strides; 0 means the pool's size
	Padding Padding // padding; Valid by default
	Name    string
}

// Identity implements [Layer].
func (l MaxPooling2D) Identity() (class, name string) { return "MaxPooling2D", l.Name }

// Identity implements [Layer].
func (l AveragePooling2D) Identity() (class, name string) { return "AveragePooling2D", l.Name }

// Infer implements [Layer].
func (l MaxPooling2D) Infer(s *Spec) (Shape, error) {
	return s.pool(l.Pool[:], l.Strides[:], l.Padding)
}

// Infer implements [Layer].
func (l AveragePooling2D) Infer(s *Spec) (Shape, error) {
	return s.pool(l.Pool[:], l.Strides[:], l.Padding)
}

// Apply implements [Layer].
func (l MaxPooling2D) Apply(c *Context) *gorgonia.Node {
	return c.Op(&op.MaxPool2D{PoolAttrs: poolAttrs(c, l.Pool, l.Strides, l.Padding)}, c.Inputs[0])
}

// Apply implements [Layer].
func (l AveragePooling2D) Apply(c *Context) *gorgonia.Node {
	return c.Op(&op.AvgPool2D{PoolAttrs: poolAttrs(c, l.Pool, l.Strides, l.Padding)}, c.Inputs[0])
}

func poolAttrs(c *Context, pool, strides [2]int, p Padding) op.PoolAttrs {
	size, step := poolDefaults(pool[:], strides[:])
	return op.PoolAttrs{Pool: [2]int(size), Strides: [2]int(step), Padding: p.resolved(), Format: c.Format}
}

// poolDefaults replaces zeros: a window of 2, strides of the window's size.
func poolDefaults(pool, strides []int) (size, step []int) {
	size, step = slices.Clone(pool), slices.Clone(strides)
	for i := range size {
		size[i] = cmp.Or(size[i], 2)
		step[i] = cmp.Or(step[i], size[i])
	}
	return size, step
}

// pool is the shape of a pooling's result.
func (s *Spec) pool(pool, strides []int, p Padding) (Shape, error) {
	pool, strides = poolDefaults(pool, strides)
	if slices.Min(pool) < 1 {
		return nil, badArgument("use 0 for the default, 2", "Pool must be positive, is %s", times(pool))
	}
	spatial, channels, err := s.field(len(pool))
	if err != nil {
		return nil, err
	}
	if _, err := p.mode(); err != nil {
		return nil, err
	}
	positions, err := slide("window", spatial, pool, strides, make([]int, len(pool)), p)
	if err != nil {
		return nil, err
	}
	return s.fieldShape(positions, channels), nil
}

// MaxPooling1D is the maximum over windows of steps of each channel. Input and result (None, steps, channels), or
// channels first.
type MaxPooling1D struct {
	Pool    int     // pool_size: steps; 0 means 2
	Strides int     // strides; 0 means the pool's size
	Padding Padding // padding; Valid by default
	Name    string
}

// AveragePooling1D is the mean over windows of steps of each channel, padding left out. Shapes and fields as in
// [MaxPooling1D].
type AveragePooling1D struct {
	Pool    int     // pool_size: steps; 0 means 2
	Strides int     // strides; 0 means the pool's size
	Padding Padding // padding; Valid by default
	Name    string
}

// Identity implements [Layer].
func (l MaxPooling1D) Identity() (class, name string) { return "MaxPooling1D", l.Name }

// Identity implements [Layer].
func (l AveragePooling1D) Identity() (class, name string) { return "AveragePooling1D", l.Name }

// Infer implements [Layer].
func (l MaxPooling1D) Infer(s *Spec) (Shape, error) {
	return s.pool([]int{l.Pool}, []int{l.Strides}, l.Padding)
}

// Infer implements [Layer].
func (l AveragePooling1D) Infer(s *Spec) (Shape, error) {
	return s.pool([]int{l.Pool}, []int{l.Strides}, l.Padding)
}

// Apply implements [Layer].
func (l MaxPooling1D) Apply(c *Context) *gorgonia.Node {
	return c.reshape(c.Op(&op.MaxPool2D{PoolAttrs: stepsAttrs(c, l.Pool, l.Strides, l.Padding)}, c.asImages(c.Inputs[0])), c.OutputShape)
}

// Apply implements [Layer].
func (l AveragePooling1D) Apply(c *Context) *gorgonia.Node {
	return c.reshape(c.Op(&op.AvgPool2D{PoolAttrs: stepsAttrs(c, l.Pool, l.Strides, l.Padding)}, c.asImages(c.Inputs[0])), c.OutputShape)
}

// stepsAttrs is a pooling of sequences as images with one row.
func stepsAttrs(c *Context, pool, strides int, p Padding) op.PoolAttrs {
	size, step := poolDefaults([]int{pool}, []int{strides})
	return poolAttrs(c, [2]int{1, size[0]}, [2]int{1, step[0]}, p)
}
