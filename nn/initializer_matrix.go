package nn

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
	"gorgonia.org/tensor"
)

// Orthogonal is Keras's "orthogonal": the orthogonal factor of a matrix of normal numbers (Saxe et al. 2014), times
// Gain. The weight counts as a matrix of as many columns as its last axis; where it has more columns than rows, its rows
// are orthonormal, otherwise its columns.
type Orthogonal struct {
	Gain float64 // gain; 0 means 1
}

// Quantile implements [Initializer]: a standard normal, of the matrix that Transform makes orthogonal.
func (Orthogonal) Quantile(tensor.Shape) func(float64) float64 { return normal(0, 1) }

// Transform implements [Transformer].
func (o Orthogonal) Transform(x []float64, s tensor.Shape) error {
	if err := o.fits(s); err != nil {
		return err
	}
	cols := s[len(s)-1]
	rows := len(x) / cols
	a := mat.NewDense(max(rows, cols), min(rows, cols), append([]float64(nil), x...))
	var qr mat.QR
	qr.Factorize(a)
	var q, r mat.Dense
	qr.QTo(&q)
	qr.RTo(&r)
	gain := o.Gain
	if gain == 0 {
		gain = 1
	}
	for i := range rows {
		for j := range cols {
			// The signs of R's diagonal make the factor unique, and so uniformly distributed.
			if rows >= cols {
				x[i*cols+j] = gain * q.At(i, j) * sign(r.At(j, j))
			} else {
				x[i*cols+j] = gain * q.At(j, i) * sign(r.At(i, i))
			}
		}
	}
	return nil
}

func (Orthogonal) fits(s tensor.Shape) error {
	if len(s) < 2 {
		return badArgument("use another initializer for vectors", "orthogonal wants a weight of at least 2 axes, got shape %v", s)
	}
	return nil
}

func sign(x float64) float64 { return math.Copysign(1, x) }

func (o Orthogonal) String() string {
	if o.Gain == 0 {
		return "orthogonal"
	}
	return fmt.Sprintf("orthogonal(gain=%g)", o.Gain)
}

// Identity is Keras's "identity": Gain on the diagonal of a matrix, which need not be square, and 0 elsewhere.
type Identity struct {
	Gain float64 // gain; 0 means 1
}

// Quantile implements [Initializer].
func (Identity) Quantile(s tensor.Shape) func(float64) float64 { return Zeros{}.Quantile(s) }

// Transform implements [Transformer].
func (i Identity) Transform(x []float64, s tensor.Shape) error {
	if err := i.fits(s); err != nil {
		return err
	}
	gain := i.Gain
	if gain == 0 {
		gain = 1
	}
	for k := range min(s[0], s[1]) {
		x[k*s[1]+k] = gain
	}
	return nil
}

func (Identity) fits(s tensor.Shape) error {
	if len(s) != 2 {
		return badArgument("use another initializer", "identity wants a weight of 2 axes, got shape %v", s)
	}
	return nil
}

func (i Identity) String() string {
	if i.Gain == 0 {
		return "identity"
	}
	return fmt.Sprintf("identity(gain=%g)", i.Gain)
}
