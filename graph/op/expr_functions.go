package op

// The elementwise functions of one operand; see [Unary].

// Abs is |x|.
func (x Expr) Abs() Expr { return x.Unary(FnAbs) }

// Sign is −1, 0 or 1. It has no gradient.
func (x Expr) Sign() Expr { return x.Unary(FnSign) }

// Ceil rounds up. It has no gradient.
func (x Expr) Ceil() Expr { return x.Unary(FnCeil) }

// Floor rounds down. It has no gradient.
func (x Expr) Floor() Expr { return x.Unary(FnFloor) }

// Sin is the sine of radians.
func (x Expr) Sin() Expr { return x.Unary(FnSin) }

// Cos is the cosine of radians.
func (x Expr) Cos() Expr { return x.Unary(FnCos) }

// Exp is e to the power of x.
func (x Expr) Exp() Expr { return x.Unary(FnExp) }

// Log is the natural logarithm.
func (x Expr) Log() Expr { return x.Unary(FnLog) }

// Log2 is the logarithm to base 2.
func (x Expr) Log2() Expr { return x.Unary(FnLog2) }

// Neg is −x.
func (x Expr) Neg() Expr { return x.Unary(FnNeg) }

// Square is x².
func (x Expr) Square() Expr { return x.Unary(FnSquare) }

// Sqrt is √x.
func (x Expr) Sqrt() Expr { return x.Unary(FnSqrt) }

// Inverse is 1/x.
func (x Expr) Inverse() Expr { return x.Unary(FnInverse) }

// InverseSqrt is 1/√x. Keras: ops.rsqrt.
func (x Expr) InverseSqrt() Expr { return x.Unary(FnInverseSqrt) }

// Cube is x³.
func (x Expr) Cube() Expr { return x.Unary(FnCube) }

// Tanh is the hyperbolic tangent.
func (x Expr) Tanh() Expr { return x.Unary(FnTanh) }

// Sigmoid is 1/(1+exp(−x)).
func (x Expr) Sigmoid() Expr { return x.Unary(FnSigmoid) }

// Log1p is log(1+x), good for small x.
func (x Expr) Log1p() Expr { return x.Unary(FnLog1p) }

// Expm1 is exp(x)−1, good for small x.
func (x Expr) Expm1() Expr { return x.Unary(FnExpm1) }

// Softplus is log(1+exp(x)), without overflow.
func (x Expr) Softplus() Expr { return x.Unary(FnSoftplus) }

// Erf is the error function.
func (x Expr) Erf() Expr { return x.Unary(FnErf) }

// ReLU is max(x, 0) with the gradient 0 at 0, as in Keras and PyTorch.
func (x Expr) ReLU() Expr { return x.Apply(&ReLU{}) }

// The elementwise functions of two operands; see [Binary].

// Add is x + y.
func (x Expr) Add(y Expr) Expr { return x.Binary(FnAdd, y) }

// Sub is x − y.
func (x Expr) Sub(y Expr) Expr { return x.Binary(FnSub, y) }

// Mul is x · y, element by element.
func (x Expr) Mul(y Expr) Expr { return x.Binary(FnMul, y) }

// Div is x / y.
func (x Expr) Div(y Expr) Expr { return x.Binary(FnDiv, y) }

// Pow is x to the power of y.
func (x Expr) Pow(y Expr) Expr { return x.Binary(FnPow, y) }

// Minimum is the smaller of both; where they are equal, the gradient goes to x.
func (x Expr) Minimum(y Expr) Expr { return x.Binary(FnMin, y) }

// Maximum is the larger of both; where they are equal, the gradient goes to x.
func (x Expr) Maximum(y Expr) Expr { return x.Binary(FnMax, y) }

// Clip brings x between two bounds; the gradient flows where x lies between them, the bounds included. Keras: ops.clip.
func (x Expr) Clip(low, high float64) Expr {
	return x.Maximum(Number(low)).Minimum(Number(high))
}

// When is y where x is positive and 0 elsewhere, where y may be infinite or NaN. x has no gradient.
func (x Expr) When(y Expr) Expr { return x.Binary(FnWhen, y) }

// The comparisons are 1 where they hold and 0 elsewhere; they have no gradient.

// Less says where x < y.
func (x Expr) Less(y Expr) Expr { return x.Binary(FnLess, y) }

// LessEqual says where x ≤ y.
func (x Expr) LessEqual(y Expr) Expr { return x.Binary(FnLessEqual, y) }

// Greater says where x > y.
func (x Expr) Greater(y Expr) Expr { return x.Binary(FnGreater, y) }

// GreaterEqual says where x ≥ y.
func (x Expr) GreaterEqual(y Expr) Expr { return x.Binary(FnGreaterEqual, y) }

// Equal says where x = y.
func (x Expr) Equal(y Expr) Expr { return x.Binary(FnEqual, y) }

// NotEqual says where x ≠ y.
func (x Expr) NotEqual(y Expr) Expr { return x.Binary(FnNotEqual, y) }

// The reductions, over axes that may count from the end, or over all; see [Reduce]. Those that keep leave the axes with a
// size of 1, so that the result stretches to x again.

// Sum is the sum over axes.
func (x Expr) Sum(axes ...int) Expr { return x.Reduce(ReduceSum, axes...) }

// SumKeep is Sum that keeps the axes.
func (x Expr) SumKeep(axes ...int) Expr { return x.ReduceKeep(ReduceSum, axes...) }

// Mean is the mean over axes.
func (x Expr) Mean(axes ...int) Expr { return x.Reduce(ReduceMean, axes...) }

// MeanKeep is Mean that keeps the axes.
func (x Expr) MeanKeep(axes ...int) Expr { return x.ReduceKeep(ReduceMean, axes...) }

// Max is the maximum over axes.
func (x Expr) Max(axes ...int) Expr { return x.Reduce(ReduceMax, axes...) }

// MaxKeep is Max that keeps the axes.
func (x Expr) MaxKeep(axes ...int) Expr { return x.ReduceKeep(ReduceMax, axes...) }

// Min is the minimum over axes.
func (x Expr) Min(axes ...int) Expr { return x.Reduce(ReduceMin, axes...) }

// MinKeep is Min that keeps the axes.
func (x Expr) MinKeep(axes ...int) Expr { return x.ReduceKeep(ReduceMin, axes...) }

// MatMul is the matrix product of two matrices.
func (x Expr) MatMul(y Expr) Expr { return x.Apply(&MatMul{}, y) }
