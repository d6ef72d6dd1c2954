package graph

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// lowerDropout makes stock dropout a function of the machine's seed and the number of the run, so that its gradient has the
// same mask. Whether it drops anything is the machine's mode.
func lowerDropout(l *lowering, a attributes) *Value {
	return l.dropout(a, l.in[0])
}

// lowerDropoutGrad takes x, y, dy. The operation embeds the dropoutOp whose gradient it is.
func lowerDropoutGrad(l *lowering, a attributes) *Value {
	return l.dropout(a, l.in[2])
}

func (l *lowering) dropout(a attributes, x *Value) *Value {
	rate := a.float("probability")
	switch {
	case l.c.evaluating || rate == 0:
		return l.reshape(x, l.out.Shape...)
	case !finiteRate(rate) || !isFloat(x.Dtype):
		return nil
	}
	return l.emit(&op.Dropout{Rate: rate, Seed: l.c.seed, Stream: l.c.stream(a.identity("dropoutOp"))}, x, l.c.runNumber())
}

// lowerRandom makes a source of random numbers one that the machine's seed and the number of the run determine.
func lowerRandom(l *lowering, a attributes) *Value {
	if !isFloat(l.out.Dtype) {
		return nil
	}
	return l.emitAs(l.out.Dtype, &ir.Random{From: ir.Distribution(a.uint("which")), A: a.float("a"), B: a.float("b"),
		Shape: l.out.Shape.Clone(), Seed: l.c.seed, Stream: uint64(l.c.stream(l.n))}, l.c.runNumber())
}

// stream numbers the sources of randomness in the order of the graph.
func (c *capturer) stream(key any) uint32 {
	s, ok := c.streams[key]
	if !ok {
		s = uint32(len(c.streams))
		c.streams[key] = s
	}
	return s
}

// runNumber is the value that counts the runs of the machine, from 1.
func (c *capturer) runNumber() *Value {
	if c.prog.run == nil {
		v := c.prog.newValue("number of the run", tensor.ScalarShape(), tensor.Int, nil)
		v.Input = true
		counter := gorgonia.NewI(0)
		v.source = func() (gorgonia.Value, error) { return counter, nil }
		c.prog.run, c.prog.counter = v, counter
	}
	return c.prog.run
}
