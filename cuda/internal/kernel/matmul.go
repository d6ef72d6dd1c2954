package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	registerFloats(map[string]Prepare{
		"MatMul":      prepareMatMul,
		"FusedMatMul": prepareMatMul,
		"BatchMatMul": prepareBatchMatMul,
	})
}

// matMulOf is the product of a step and what follows it.
func matMulOf(s *graph.Step) (*op.MatMul, epilogue) {
	if f, ok := s.Instr.(*graph.FusedMatMul); ok {
		return f.MatMul, epilogueOf(f.Bias, f.ReLU)
	}
	return s.Instr.(*op.MatMul), epilogue{}
}

func prepareMatMul(b *Builder, s *graph.Step) ([]Command, error) {
	mul, e := matMulOf(s)
	y, k := s.Out[0], s.In[0].Shape[1]
	if s.In[0].Narrow || s.In[1].Narrow || y.Narrow {
		return b.dense(s, mul, e), nil
	}
	if mul.TransA {
		k = s.In[0].Shape[0]
	}
	return b.product(product{dt: y.Dtype, m: y.Shape[0], n: y.Shape[1], k: k, transA: mul.TransA, transB: mul.TransB, batch: 1,
		a: In(0), b: In(1), c: Out(0), epilogue: e}), nil
}

func prepareBatchMatMul(b *Builder, s *graph.Step) ([]Command, error) {
	o := s.Instr.(*ir.BatchMatMul)
	g, err := o.Geometry([]tensor.Shape{s.In[0].Shape, s.In[1].Shape})
	if err != nil {
		return nil, err
	}
	return b.product(product{dt: s.Out[0].Dtype, m: g.M, n: g.N, k: g.K, transA: o.TransA, transB: o.TransB, batch: g.Batch,
		a: In(0), b: In(1), c: Out(0)}), nil
}

// epilogue is what happens to results before they are written.
type epilogue struct {
	bias *Pointer // an element for every channel
	relu bool
}

// epilogueOf is that of a fused step, whose operand 2 is the bias.
func epilogueOf(bias, relu bool) epilogue {
	e := epilogue{relu: relu}
	if bias {
		p := In(2)
		e.bias = &p
	}
	return e
}

// args are the kernels' arguments bias and flags. Without a bias any pointer serves, here to the result.
func (e epilogue) args(result Pointer) (bias Pointer, flags int32) {
	bias = result
	if e.bias != nil {
		bias, flags = *e.bias, 1
	}
	if e.relu {
		flags |= 2
	}
	return bias, flags
}

// product is batch products c ← op(a)·op(b), then the epilogue with a bias over the columns. Matrices follow each other without
// gaps; op(a) is m×k, op(b) is k×n.
type product struct {
	dt             tensor.Dtype
	m, n, k, batch int
	transA, transB bool
	a, b, c        Pointer
	// What is bfloat16 in memory, and the filter that b is, if it is one.
	aNarrow, bNarrow, cNarrow bool
	packed                    Packed
	epilogue
}

// product computes a product of at least one element.
func (b *Builder) product(g product) []Command {
	if g.k == 0 {
		return b.wideProduct(g)
	}
	if g.aNarrow || g.bNarrow || g.cNarrow {
		return b.roundedProduct(g)
	}
	try := []Command{g.gemm(b.Precision)}
	if g.relu {
		try = append(try, b.each("elementwise.cu", "relu", g.dt, g.batch*g.m*g.n, g.c, g.c))
	}
	return []Command{&Either{Try: try, Else: b.ownProduct(g)}}
}

func (g product) gemm(p Precision) *Gemm {
	return &Gemm{Dtype: g.dt, Precision: p, M: g.m, N: g.n, K: g.k, TransA: g.transA, TransB: g.transB, A: g.a, B: g.b, C: g.c,
		Bias: g.bias, Batch: g.batch, StrideA: int64(g.m) * int64(g.k), StrideB: int64(g.k) * int64(g.n), StrideC: int64(g.m) * int64(g.n)}
}

// The shapes that have kernels of their own.
const (
	smallSide   = 32  // m and n up to this, with few products, are small
	smallDepth  = 512 // products that one thread adds
	narrow      = 8   // m or n up to this is narrow: close to a product with a vector
	lanesDepth  = 2048
	mostGridYZ  = 65535
	manyResults = 1 << 20 // blocks; more results are taken in turn
)

func (b *Builder) ownProduct(g product) []Command {
	long := max(g.m, g.n)
	lanes := ceilDiv(long, 32) * min(g.m, g.n) * g.batch // blocks of gemm_lanes
	along := g.transB                                    // whether the large operand lies along k
	if g.m > g.n {
		along = !g.transA
	}
	switch {
	case long <= smallSide && (g.k <= 64 || g.k <= smallDepth && min(g.m, g.n) > narrow):
		return []Command{b.elementwiseProduct(g)}
	case min(g.m, g.n) > narrow:
	case along:
		return []Command{b.dotProduct(g)}
	case g.k <= lanesDepth || lanes >= b.Multiprocessors:
		return []Command{b.laneProduct(g)}
	}
	return b.tiledProduct(g)
}

// source is a file of kernels that follow tile.cuh and further files, for a precision of products.
func (b *Builder) source(dt tensor.Dtype, files ...string) Source {
	text, name := read("tile.cuh"), files[len(files)-1]
	for _, f := range files {
		text += read(f)
	}
	if b.Precision == BF16 && dt == tensor.Float32 {
		return Text(name, dt, text, "ROUND")
	}
	return Text(name, dt, text)
}

// args are the arguments that all kernels of gemm.cu have in front.
func (g product) args(c Pointer) []any {
	bias, flags := g.epilogue.args(g.c)
	return []any{c, g.a, g.b, bias, flags}
}

// strides is struct Batch of gemm.cu.
func (g product) strides() Bytes {
	return structOf([4]int64{int64(g.batch), int64(g.m) * int64(g.k), int64(g.k) * int64(g.n), int64(g.m) * int64(g.n)})
}

// steps is struct Steps of gemm.cu.
func (g product) steps() Bytes {
	aRow, aProduct, bProduct, bColumn := g.k, 1, g.n, 1
	if g.transA {
		aRow, aProduct = 1, g.m
	}
	if g.transB {
		bProduct, bColumn = 1, g.k
	}
	return structOf(struct {
		Sizes         [7]int64
		Columns, Rows divisor
	}{[7]int64{int64(g.m), int64(g.n), int64(g.k), int64(aRow), int64(aProduct), int64(bProduct), int64(bColumn)}, divideBy(g.n), divideBy(g.m)})
}

func (b *Builder) elementwiseProduct(g product) Command {
	grid, block := b.Each(g.batch * g.m * g.n)
	return &Launch{Source: b.source(g.dt, "gemm.cu"), Name: "gemm_small", Grid: grid, Block: block, Args: append(g.args(g.c), g.steps(), g.strides())}
}

func (b *Builder) dotProduct(g product) Command {
	block := 32
	for block < threads && g.k >= 8*block { // every thread is to have some products
		block *= 2
	}
	return &Launch{Source: b.source(g.dt, "gemm.cu"), Name: "gemm_dot", Grid: Dim3{X: min(g.batch*g.m*g.n, manyResults)}, Block: Dim3{X: block},
		Args: append(g.args(g.c), g.steps(), g.strides())}
}

func (b *Builder) laneProduct(g product) Command {
	tall := int32(0)
	if g.m > g.n {
		tall = 1
	}
	return &Launch{Source: b.source(g.dt, "gemm.cu"), Name: "gemm_lanes",
		Grid: Dim3{X: ceilDiv(max(g.m, g.n), 32), Y: min(g.m, g.n), Z: min(g.batch, mostGridYZ)}, Block: Dim3{X: 32, Y: 8},
		Args: append(g.args(g.c), tall, g.steps(), g.strides())}
}

func (b *Builder) tiledProduct(g product) []Command {
	name := "gemm_" + map[bool]string{false: "n", true: "t"}[g.transA] + map[bool]string{false: "n", true: "t"}[g.transB]
	results := g.batch * g.m * g.n
	c := b.cut(g.dt, g.m, g.n, g.k, g.batch, results)
	l := &Launch{Source: b.source(g.dt, "gemm.cu"), Name: name, Grid: c.grid(g.batch), Block: Dim3{X: threads}}
	if c.parts == 1 {
		l.Args = append(g.args(g.c), c.tiles(), g.strides())
		return []Command{l}
	}
	parts := c.scratch(b, g.dt, results)
	l.Args = append(product{a: g.a, b: g.b, c: g.c}.args(parts), c.tiles(), g.strides())
	return []Command{l, b.splitSum(g.dt, g.c, parts, c.parts, results, 1, g.n, g.epilogue)}
}
