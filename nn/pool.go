package nn

import (
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
func (l MaxPooling2D) Infer(s *Spec) (Shape, error) { return s.pool(l.Pool, l.Strides, l.Padding) }

// Infer implements [Layer].
func (l AveragePooling2D) Infer(s *Spec) (Shape, error) { return s.pool(l.Pool, l.Strides, l.Padding) }

// Apply implements [Layer].
func (l MaxPooling2D) Apply(c *Context) *gorgonia.Node {
	return c.Op(&op.MaxPool2D{PoolAttrs: poolAttrs(c, l.Pool, l.Strides, l.Padding)}, c.Inputs[0])
}

// Apply implements [Layer].
func (l AveragePooling2D) Apply(c *Context) *gorgonia.Node {
	return c.Op(&op.AvgPool2D{PoolAttrs: poolAttrs(c, l.Pool, l.Strides, l.Padding)}, c.Inputs[0])
}

func poolAttrs(c *Context, pool, strides [2]int, p Padding) op.PoolAttrs {
	pool = poolSize(pool)
	for i := range strides {
		if strides[i] == 0 {
			strides[i] = pool[i]
		}
	}
	return op.PoolAttrs{Pool: pool, Strides: strides, Padding: p.resolved(), Format: c.Format}
}

func poolSize(pool [2]int) [2]int {
	for i := range pool {
		if pool[i] == 0 {
			pool[i] = 2
		}
	}
	return pool
}

func (s *Spec) pool(pool, strides [2]int, p Padding) (Shape, error) {
	pool = poolSize(pool)
	if pool[0] < 1 || pool[1] < 1 {
		return nil, badArgument("use 0 for the default, 2", "Pool must be positive, is %d×%d", pool[0], pool[1])
	}
	_, _, channels, err := s.image()
	if err != nil {
		return nil, err
	}
	for i := range strides {
		if strides[i] == 0 {
			strides[i] = pool[i]
		}
	}
	return s.window("window", pool, strides, [2]int{}, p, channels)
}

// GlobalAveragePooling2D is the mean over all rows and columns of each channel: (None, rows, columns, channels), or
// channels first, becomes (None, channels).
type GlobalAveragePooling2D struct{ Name string }

// Identity implements [Layer].
func (l GlobalAveragePooling2D) Identity() (class, name string) {
	return "GlobalAveragePooling2D", l.Name
}

// Infer implements [Layer].
func (l GlobalAveragePooling2D) Infer(s *Spec) (Shape, error) {
	_, _, channels, err := s.image()
	return Shape{channels}, err
}

// Apply implements [Layer].
func (l GlobalAveragePooling2D) Apply(c *Context) *gorgonia.Node {
	return c.Op(&op.GlobalAvgPool2D{Format: c.Format}, c.Inputs[0])
}
