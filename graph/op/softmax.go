package op

import (
	"hash"
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Softmax turns each row of x (N, C) into probabilities: y = exp(x − max) / Σ exp(x − max). Taking the row's maximum
// off first keeps it exact for logits of any size. A row with a NaN or +Inf, or of -Inf only, becomes NaN; a single -Inf
// gets probability 0. Keras: activations.softmax.
type Softmax struct{ salted }

func (o *Softmax) Kind() string          { return "Softmax" }
func (o *Softmax) String() string        { return "Softmax" }
func (o *Softmax) Arity() int            { return 1 }
func (o *Softmax) Type() hm.Type         { return signature(tensorType(2), tensorType(2)) }
func (o *Softmax) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *Softmax) Hashcode() uint32      { return hashcode(o) }
func (o *Softmax) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *Softmax) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *Softmax) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *Softmax) Reference(out Array, in []Array) error {
	if single(in[0]) {
		softmax[float32](o, out, in)
	} else {
		softmax[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of x.
func (o *Softmax) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), wantDims(o, in, 0, 2, "logits (N, C)")
}

// SymDiff returns SoftmaxGrad(y, dy).
func (o *Softmax) SymDiff(_ gorgonia.Nodes, y, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&SoftmaxGrad{}, y, dy))
}

func softmax[T Float](_ *Softmax, out Array, in []Array) {
	y, x, c := floats[T](out), floats[T](in[0]), in[0].Shape[1]
	for lo := 0; lo < len(x); lo += c {
		top, sum := logSumParts(x[lo : lo+c])
		for i := lo; i < lo+c; i++ {
			y[i] = T(math.Exp(float64(x[i])-top) / sum)
		}
	}
}

// logSumParts returns the maximum of a row and Σ exp(x − max); the sum is NaN if the row has a NaN.
func logSumParts[T Float](row []T) (top, sum float64) {
	top = math.Inf(-1)
	for _, v := range row {
		if float64(v) > top {
			top = float64(v)
		}
	}
	for _, v := range row {
		sum += math.Exp(float64(v) - top)
	}
	return top, sum
}

// SoftmaxGrad is the gradient of Softmax with respect to x: dx = y·(dy − Σ y·dy), rows apart. Inputs: y = Softmax(x), dy,
// both (N, C).
type SoftmaxGrad struct{ salted }

func (o *SoftmaxGrad) Kind() string          { return "SoftmaxGrad" }
func (o *SoftmaxGrad) String() string        { return "SoftmaxGrad" }
func (o *SoftmaxGrad) Arity() int            { return 2 }
func (o *SoftmaxGrad) Type() hm.Type         { return signature(tensorType(2), tensorType(2), tensorType(2)) }
func (o *SoftmaxGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *SoftmaxGrad) Hashcode() uint32      { return hashcode(o) }
func (o *SoftmaxGrad) DiffWRT(int) []bool    { return []bool{true, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *SoftmaxGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *SoftmaxGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *SoftmaxGrad) Reference(out Array, in []Array) error {
	if single(in[0]) {
		softmaxGrad[float32](o, out, in)
	} else {
		softmaxGrad[float64](o, out, in)
	}
	return nil
}

// Infer returns the common shape of y and dy.
func (o *SoftmaxGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantDims(o, in, 0, 2, "probabilities (N, C)"), wantSame(o, in, 0, 1))
}

// SymDiff returns an error: second derivatives are not implemented.
func (o *SoftmaxGrad) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return noSecondDerivative(o)
}

func softmaxGrad[T Float](_ *SoftmaxGrad, out Array, in []Array) {
	dx, y, dy, c := floats[T](out), floats[T](in[0]), floats[T](in[1]), in[0].Shape[1]
	for lo := 0; lo < len(y); lo += c {
		var dot float64
		for i := lo; i < lo+c; i++ {
			dot += float64(y[i]) * float64(dy[i])
		}
		for i := lo; i < lo+c; i++ {
			dx[i] = T(float64(y[i]) * (float64(dy[i]) - dot))
		}
	}
}

// LogSoftmax is the logarithm of Softmax, computed as x − max − log Σ exp(x − max), for x (N, C). Keras:
// activations.log_softmax.
type LogSoftmax struct{ salted }

func (o *LogSoftmax) Kind() string          { return "LogSoftmax" }
func (o *LogSoftmax) String() string        { return "LogSoftmax" }
func (o *LogSoftmax) Arity() int            { return 1 }
func (o *LogSoftmax) Type() hm.Type         { return signature(tensorType(2), tensorType(2)) }
func (o *LogSoftmax) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *LogSoftmax) Hashcode() uint32      { return hashcode(o) }
func (o *LogSoftmax) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *LogSoftmax) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *LogSoftmax) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *LogSoftmax) Reference(out Array, in []Array) error {
	if single(in[0]) {
		logSoftmax[float32](o, out, in)
	} else {
		logSoftmax[float64](o, out, in)
	}
	return nil
}

// Infer returns the shape of x.
func (o *LogSoftmax) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), wantDims(o, in, 0, 2, "logits (N, C)")
}

// SymDiff returns LogSoftmaxGrad(y, dy).
func (o *LogSoftmax) SymDiff(_ gorgonia.Nodes, y, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&LogSoftmaxGrad{}, y, dy))
}

func logSoftmax[T Float](_ *LogSoftmax, out Array, in []Array) {
	y, x, c := floats[T](out), floats[T](in[0]), in[0].Shape[1]
	for lo := 0; lo < len(x); lo += c {
		top, sum := logSumParts(x[lo : lo+c])
		logSum := math.Log(sum)
		for i := lo; i < lo+c; i++ {
			y[i] = T(float64(x[i]) - top - logSum)
		}
	}
}

// LogSoftmaxGrad is the gradient of LogSoftmax with respect to x: dx = dy − exp(y)·Σ dy, rows apart. Inputs: y =
// LogSoftmax(x), dy, both (N, C).
type LogSoftmaxGrad struct{ salted }

func (o *LogSoftmaxGrad) Kind() string   { return "LogSoftmaxGrad" }
func (o *LogSoftmaxGrad) String() string { return "LogSoftmaxGrad" }
func (o *LogSoftmaxGrad) Arity() int     { return 2 }
func (o *LogSoftmaxGrad) Type() hm.Type {
	return signature(tensorType(2), tensorType(2), tensorType(2))
}
func (o *LogSoftmaxGrad) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *LogSoftmaxGrad) Hashcode() uint32      { return hashcode(o) }
func (o *LogSoftmaxGrad) DiffWRT(int) []bool    { return []bool{true, true} }

// Do computes the operation for Gorgonia's own machines.
func (o *LogSoftmaxGrad) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *LogSoftmaxGrad) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Reference computes the operation with plain loops.
func (o *LogSoftmaxGrad) Reference(out Array, in []Array) error {
	if single(in[0]) {
		logSoftmaxGrad[float32](o, out, in)
	} else {
		logSoftmaxGrad[float64](o, out, in)
	}
	return nil
}

// Infer returns the common shape of y and dy.
func (o *LogSoftmaxGrad) Infer(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), first(wantDims(o, in, 0, 2, "log-probabilities (N, C)"), wantSame(o, in, 0, 1))
}

// SymDiff returns an error: second derivatives are not implemented.
func (o *LogSoftmaxGrad) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return noSecondDerivative(o)
}

func logSoftmaxGrad[T Float](_ *LogSoftmaxGrad, out Array, in []Array) {
	dx, y, dy, c := floats[T](out), floats[T](in[0]), floats[T](in[1]), in[0].Shape[1]
	for lo := 0; lo < len(y); lo += c {
		var sum float64
		for _, v := range dy[lo : lo+c] {
			sum += float64(v)
		}
		for i := lo; i < lo+c; i++ {
			dx[i] = T(float64(dy[i]) - math.Exp(float64(y[i]))*sum)
		}
	}
}
