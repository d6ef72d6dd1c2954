package kernel

import (
	"fmt"
	"strings"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/philox"
)

func init() {
	registerFloats(map[string]Prepare{"Dropout": prepareDropout, "Random": prepareRandom})
	registerNarrow(map[string]narrowing{"Dropout": {in: operands(0), out: operands(0)}})
}

// drawing is a file of package kernels with philox.cuh, and what else is given, in front.
func drawing(name string, dt tensor.Dtype, before string, defines ...string) Source {
	return Text(name, dt, read("philox.cuh")+before+read(name), defines...)
}

func prepareDropout(b *Builder, s *graph.Step) ([]Command, error) {
	o := s.Instr.(*op.Dropout)
	y := s.Out[0]
	d := storage{}.as("SX", s.In[0]).as("SY", y)
	key := philox.Key(o.Seed)
	grid, block := b.Each((y.Len() + 3) / 4) // a thread draws four words at a time
	return []Command{&Launch{Source: drawing("dropout.cu", y.Dtype, "", d...), Name: "dropout", Grid: grid, Block: block,
		Args: []any{Out(0), In(0), In(1), number(y.Dtype, o.Scale()), o.Threshold(), o.Stream, key[0], key[1], int64(y.Len())}}}, nil
}

// mostShares bounds the table of a binomial distribution that is part of a kernel's text.
const mostShares = 1024

func prepareRandom(b *Builder, s *graph.Step) ([]Command, error) {
	o := s.Instr.(*ir.Random)
	y, source := s.Out[0], o.Source()
	var defines []string
	var table string
	switch o.From {
	case ir.Uniform:
		defines = []string{"UNIFORM"}
	case ir.Gaussian:
		defines = []string{"GAUSSIAN"}
	case ir.Binomial:
		shares := source.Shares()
		if len(shares) > mostShares {
			return nil, nil
		}
		defines, table = []string{"BINOMIAL", fmt.Sprint("TRIALS ", len(shares))}, sharesText(shares)
	}
	key := source.Key()
	grid, block := b.Each((y.Len() + 1) / 2) // a thread draws two numbers at a time
	return []Command{&Launch{Source: drawing("random.cu", y.Dtype, table, defines...), Name: "draw", Grid: grid, Block: block,
		Args: []any{Out(0), In(0), o.A, o.B, uint32(o.Stream), uint32(o.Stream >> 32), key[0], key[1], int64(y.Len())}}}, nil
}

// sharesText defines the array share; one without elements has one that is never read.
func sharesText(shares []float64) string {
	if len(shares) == 0 {
		shares = []float64{1}
	}
	var t strings.Builder
	t.WriteString("__device__ const double share[] = {")
	for i, x := range shares {
		if i > 0 {
			t.WriteString(", ")
		}
		t.WriteString(literal(tensor.Float64, x))
	}
	t.WriteString("};\n")
	return t.String()
}
