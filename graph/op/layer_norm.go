package op

import (
	"fmt"
	"hash"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// LayerNorm gives each row of x, the numbers along its last axis, mean 0 and variance 1, then scales and shifts them:
//
//	y = scale·(x − mean)/√(variance + Epsilon) + shift,  mean and variance those of the row, the variance the biased one
//
// Inputs: x of two axes or more; scale (C) unless NoScale; shift (C) unless NoShift, where C is the length of the last axis. Result: the shape
// of x. Epsilon is literal (Keras's default is 1e-3). The statistics are no results: whoever needs them has a whole row at hand and computes
// them again, which costs less than to keep them. Ba et al. 2016; Keras: layers.LayerNormalization.
type LayerNorm struct {
	ranked
	Epsilon          float64
	NoScale, NoShift bool
}

func (o *LayerNorm) Kind() string { return "LayerNorm" }
func (o *LayerNorm) String() string {
	return fmt.Sprintf("LayerNorm(epsilon %v%s%s)", o.Epsilon, without("scale", o.NoScale), without("shift", o.NoShift))
}
func (o *LayerNorm) Arity() int            { return 3 - trues(o.NoScale, o.NoShift) }
func (o *LayerNorm) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *LayerNorm) Hashcode() uint32      { return hashcode(o) }
func (o *LayerNorm) DiffWRT(int) []bool    { return []bool{true, true, true}[:o.Arity()] }

// without is said of what an operation does not have.
func without(what string, not bool) string {
	if not {
		return ", no " + what
	}
	return ""
}

// trues is the number of those that are true.
func trues(all ...bool) (n int) {
	for _, b := range all {
		if b {
			n++
		}
	}
	return n
}

// Do computes the operation for Gorgonia's own machines.
func (o *LayerNorm) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *LayerNorm) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns the shape of x.
func (o *LayerNorm) Infer(in []tensor.Shape) (tensor.Shape, error) {
	vectors := []channelInput{{1, "a scale"}, {2, "a shift"}}
	switch {
	case o.NoScale && o.NoShift:
		vectors = nil
	case o.NoScale:
		vectors = []channelInput{{1, "a shift"}}
	case o.NoShift:
		vectors = vectors[:1]
	}
	return in[0].Clone(), first(wantRows(o, in, vectors...), wantEpsilon(o, in, o.Epsilon))
}

// wantRows checks that input 0 has two axes or more and that vectors are as long as its last.
func wantRows(o Op, in []tensor.Shape, vectors ...channelInput) error {
	return wantPerChannel(o, in, 0, -1, vectors...)
}

// SymDiff returns LayerNormGrad, LayerNormGradScale and BiasGrad for x, scale and shift. An engine may recognise the three as siblings.
func (o *LayerNorm) SymDiff(in gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	x, operands := in[0], gorgonia.Nodes{in[0], dy}
	if !o.NoScale {
		operands = gorgonia.Nodes{x, in[1], dy}
	}
	dx, err := Apply(&LayerNormGrad{Epsilon: o.Epsilon, NoScale: o.NoScale}, operands...)
	if err != nil {
		return nil, err
	}
	grads := gorgonia.Nodes{dx}
	if !o.NoScale {
		dscale, err := Apply(&LayerNormGradScale{Epsilon: o.Epsilon}, x, dy)
		if err != nil {
			return nil, err
		}
		grads = append(grads, dscale)
	}
	if o.NoShift {
		return grads, nil
	}
	dshift, err := Apply(&BiasGrad{Axis: -1}, dy)
	return append(grads, dshift), err
}

// Reference computes the operation with plain loops.
func (o *LayerNorm) Reference(out Array, in []Array) error {
	x, y, c := wide(in[0]), make([]float64, Len(out.Shape)), lastAxis(in[0].Shape)
	scale, shift := filled(c, 1), filled(c, 0)
	if !o.NoScale {
		scale, in = wide(in[1]), in[1:]
	}
	if !o.NoShift {
		shift = wide(in[1])
	}
	for lo := 0; lo < len(x); lo += c {
		mean, inverse := rowStatistics(x[lo:lo+c], o.Epsilon)
		for i, v := range x[lo : lo+c] {
			y[lo+i] = scale[i]*((v-mean)*inverse) + shift[i]
		}
	}
	store(out, y)
	return nil
}

// lastAxis is the length of the last axis.
func lastAxis(s tensor.Shape) int { return s[len(s)-1] }

// filled has n equal elements.
func filled(n int, v float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = v
	}
	return x
}

// rowStatistics returns the mean and the reciprocal standard deviation of a row, in two passes.
func rowStatistics(row []float64, epsilon float64) (mean, inverse float64) {
	for _, v := range row {
		mean += v
	}
	mean /= float64(len(row))
	variance := 0.0
	for _, v := range row {
		variance += (v - mean) * (v - mean)
	}
	return mean, rstd(variance/float64(len(row)), epsilon)
}

// LayerNormGrad is the gradient of [LayerNorm] with respect to x, through mean and variance too:
//
//	dx = (g − mean(g) − x̂·mean(g·x̂))/√(variance + Epsilon),  g = scale·dy, x̂ = (x − mean)/√(variance + Epsilon), row by row
//
// Inputs: x, scale (C) unless NoScale, dy of the shape of x. Result: the same shape.
type LayerNormGrad struct {
	ranked
	Epsilon float64
	NoScale bool
}

func (o *LayerNormGrad) Kind() string { return "LayerNormGrad" }
func (o *LayerNormGrad) String() string {
	return fmt.Sprintf("LayerNormGrad(epsilon %v%s)", o.Epsilon, without("scale", o.NoScale))
}
func (o *LayerNormGrad) Arity() int            { return 3 - trues(o.NoScale) }
func (o *LayerNormGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *LayerNormGrad) Hashcode() uint32      { return hashcode(o) }
func (o *LayerNormGrad) DiffWRT(int) []bool    { return []bool{true, true, true}[:o.Arity()] }

// Do computes the operation for Gorgonia's own machines.
func (o *LayerNormGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *LayerNormGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns the shape of x.
func (o *LayerNormGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	dy, vectors := 2, []channelInput{{1, "a scale"}}
	if o.NoScale {
		dy, vectors = 1, nil
	}
	return in[0].Clone(), first(wantRows(o, in, vectors...), wantSame(o, in, 0, dy), wantEpsilon(o, in, o.Epsilon))
}

// SymDiff is the second derivative, as penalties of gradients need it. As a function of g the gradient is linear and its own transpose; let J be
// it without scale, u what flows in, m the mean of a row, and r = 1/√(variance + Epsilon). As dr/dx = −r²·x̂/C and dx̂/dx = J,
//
//	to dy: scale·J(u),  to scale: Σ dy·J(u),  to x: −r·(x̂·m(u·dx) + m(g·x̂)·J(u) + m(u·x̂)·J(g))
func (o *LayerNormGrad) SymDiff(in gorgonia.Nodes, dx, u *gorgonia.Node) (gorgonia.Nodes, error) {
	x, dy, up := Of(in[0]), Of(in[len(in)-1]), Of(u)
	last := len(in[0].Shape()) - 1
	plain := func(g Expr) Expr { return x.Apply(&LayerNormGrad{Epsilon: o.Epsilon, NoScale: true}, g) }
	g, scale := dy, Expr{}
	if !o.NoScale {
		scale = Of(in[1])
		g = dy.Mul(scale)
	}
	unit := x.Apply(&LayerNorm{Epsilon: o.Epsilon, NoScale: true, NoShift: true})
	r := x.Sub(x.MeanKeep(last)).Square().MeanKeep(last).Add(Number(o.Epsilon)).InverseSqrt()
	of := plain(up)
	toX := unit.Mul(up.Mul(Of(dx)).MeanKeep(last)).Add(of.Mul(g.Mul(unit).MeanKeep(last))).Add(plain(g).Mul(up.Mul(unit).MeanKeep(last))).Mul(r).Neg()
	all := []Expr{toX, of}
	if !o.NoScale {
		all = []Expr{toX, of.Mul(dy).Apply(&BiasGrad{Axis: -1}), of.Mul(scale)}
	}
	return nodesOf(all...)
}

// nodesOf are the nodes of expressions.
func nodesOf(all ...Expr) (gorgonia.Nodes, error) {
	nodes := make(gorgonia.Nodes, len(all))
	for i, x := range all {
		var err error
		if nodes[i], err = x.Node(); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

// Reference computes the operation with plain loops.
func (o *LayerNormGrad) Reference(out Array, in []Array) error {
	x, dy, dx, c := wide(in[0]), wide(in[len(in)-1]), make([]float64, Len(out.Shape)), lastAxis(in[0].Shape)
	scale := filled(c, 1)
	if !o.NoScale {
		scale = wide(in[1])
	}
	for lo := 0; lo < len(x); lo += c {
		mean, inverse := rowStatistics(x[lo:lo+c], o.Epsilon)
		var total, dot float64
		for i, v := range x[lo : lo+c] {
			g := scale[i] * dy[lo+i]
			total += g
			dot += g * (v - mean) * inverse
		}
		total, dot = total/float64(c), dot/float64(c)
		for i, v := range x[lo : lo+c] {
			dx[lo+i] = (scale[i]*dy[lo+i] - total - (v-mean)*inverse*dot) * inverse
		}
	}
	store(out, dx)
	return nil
}

// LayerNormGradScale is the gradient of [LayerNorm] with respect to its scale: Σ dy·(x − mean)/√(variance + Epsilon) over the rows. Inputs: x, dy
// of one shape. Result: (C).
type LayerNormGradScale struct {
	ranked
	Epsilon float64
}

func (o *LayerNormGradScale) Kind() string { return "LayerNormGradScale" }
func (o *LayerNormGradScale) String() string {
	return fmt.Sprintf("LayerNormGradScale(epsilon %v)", o.Epsilon)
}
func (o *LayerNormGradScale) Arity() int            { return 2 }
func (o *LayerNormGradScale) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *LayerNormGradScale) Hashcode() uint32      { return hashcode(o) }
func (o *LayerNormGradScale) DiffWRT(int) []bool    { return []bool{true, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *LayerNormGradScale) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *LayerNormGradScale) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns (C).
func (o *LayerNormGradScale) Infer(in []tensor.Shape) (tensor.Shape, error) {
	if err := first(wantRows(o, in), wantSame(o, in, 0, 1), wantEpsilon(o, in, o.Epsilon)); err != nil {
		return nil, err
	}
	return tensor.Shape{lastAxis(in[0])}, nil
}

// SymDiff is the second derivative: what flows in scales the rows as a scale does.
func (o *LayerNormGradScale) SymDiff(in gorgonia.Nodes, _, u *gorgonia.Node) (gorgonia.Nodes, error) {
	x, dy, up := Of(in[0]), Of(in[1]), Of(u)
	return nodesOf(x.Apply(&LayerNormGrad{Epsilon: o.Epsilon}, up, dy), x.Apply(&LayerNorm{Epsilon: o.Epsilon, NoShift: true}, up))
}

// Reference computes the operation with plain loops; sums are accumulated in float64 and rounded once.
func (o *LayerNormGradScale) Reference(out Array, in []Array) error {
	x, dy, c := wide(in[0]), wide(in[1]), lastAxis(in[0].Shape)
	dscale := make([]float64, c)
	for lo := 0; lo < len(x); lo += c {
		mean, inverse := rowStatistics(x[lo:lo+c], o.Epsilon)
		for i, v := range x[lo : lo+c] {
			dscale[i] += dy[lo+i] * (v - mean) * inverse
		}
	}
	store(out, dscale)
	return nil
}
