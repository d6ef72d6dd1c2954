package onnx

import (
	"math"

	"github.com/stheno-ml/stheno/graph/op"
)

// operators are the operations that are understood. It is filled in by init, since the functions look things up in it.
var operators map[string]operator

func init() {
	number := func(v float64) op.Expr { return op.Number(v) }
	logSum := func(x op.Expr) op.Expr { return x.Log() }
	operators = map[string]operator{
		"Conv":                      {lower: conv},
		"ConvTranspose":             {lower: convTranspose},
		"MaxPool":                   {lower: pool(false)},
		"AveragePool":               {lower: pool(true)},
		"GlobalAveragePool":         {lower: globalAveragePool},
		"GlobalMaxPool":             {lower: globalMaxPool},
		"BatchNormalization":        {lower: batchNormalization},
		"InstanceNormalization":     {lower: instanceNormalization},
		"LayerNormalization":        {lower: layerNormalization},
		"GroupNormalization":        {lower: groupNormalization},
		"RMSNormalization":          {lower: rmsNormalization},
		"MeanVarianceNormalization": {lower: meanVarianceNormalization},
		"Swish":                     activation(swish),
		"ReduceLogSumExp":           {lower: logSumExp},
		"CastLike":                  {lower: castLike},
		"LRN":                       {lower: lrn},
		"Gemm":                      {lower: gemm},
		"MatMul":                    {lower: matMul},
		"Softmax":                   {lower: softmax(func() op.Op { return &op.Softmax{} })},
		"LogSoftmax":                {lower: softmax(func() op.Op { return &op.LogSoftmax{} })},
		"Dropout":                   {lower: dropout},
		"Relu":                      unaryOp(op.Expr.ReLU),
		"LeakyRelu":                 activation(leakyRelu),
		"PRelu":                     {lower: prelu},
		"Elu":                       activation(elu),
		"Celu":                      activation(celu),
		"Selu":                      activation(selu),
		"Gelu":                      activation(gelu),
		"ThresholdedRelu":           activation(thresholdedRelu),
		"HardSigmoid":               activation(hardSigmoid),
		"HardSwish":                 unaryOp(hardSwish),
		"Mish":                      unaryOp(mish),
		"Softplus":                  unaryOp(op.Expr.Softplus),
		"Softsign":                  unaryOp(func(x op.Expr) op.Expr { return x.Div(x.Abs().Add(number(1))) }),
		"Sigmoid":                   unaryOp(op.Expr.Sigmoid),
		"Tanh":                      unaryOp(op.Expr.Tanh),
		"Erf":                       unaryOp(op.Expr.Erf),
		"Clip":                      {lower: clip},
		"Exp":                       foldedUnary(op.Expr.Exp, math.Exp),
		"Log":                       foldedUnary(op.Expr.Log, math.Log),
		"Neg":                       foldedUnary(op.Expr.Neg, func(x float64) float64 { return -x }),
		"Abs":                       foldedUnary(op.Expr.Abs, math.Abs),
		"Sqrt":                      foldedUnary(op.Expr.Sqrt, math.Sqrt),
		"Reciprocal":                foldedUnary(op.Expr.Inverse, func(x float64) float64 { return 1 / x }),
		"Floor":                     foldedUnary(op.Expr.Floor, math.Floor),
		"Ceil":                      foldedUnary(op.Expr.Ceil, math.Ceil),
		"Sign":                      foldedUnary(op.Expr.Sign, func(x float64) float64 { return op.FnSign.Of(x) }),
		"Sin":                       foldedUnary(op.Expr.Sin, math.Sin),
		"Cos":                       foldedUnary(op.Expr.Cos, math.Cos),
		"Not":                       foldedUnary(func(x op.Expr) op.Expr { return number(1).Sub(x) }, func(x float64) float64 { return 1 - x }),
		"Add":                       binaryOp(op.Expr.Add, func(a, b float64) float64 { return a + b }, always(func(a, b int64) int64 { return a + b })),
		"Sub":                       binaryOp(op.Expr.Sub, func(a, b float64) float64 { return a - b }, always(func(a, b int64) int64 { return a - b })),
		"Mul":                       binaryOp(op.Expr.Mul, func(a, b float64) float64 { return a * b }, always(func(a, b int64) int64 { return a * b })),
		"Div":                       binaryOp(op.Expr.Div, func(a, b float64) float64 { return a / b }, divided),
		"Pow":                       pow(),
		"Mod":                       {lower: func(c *call) { c.fail("", "is supported of constants only") }, fold: foldMod},
		"Sum":                       variadic(op.Expr.Add, func(a, b float64) float64 { return a + b }, always(func(a, b int64) int64 { return a + b })),
		"Max":                       variadic(op.Expr.Maximum, math.Max, always(func(a, b int64) int64 { return max(a, b) })),
		"Min":                       variadic(op.Expr.Minimum, math.Min, always(func(a, b int64) int64 { return min(a, b) })),
		"Mean":                      {lower: mean},
		"Equal":                     comparison(op.Expr.Equal, func(a, b float64) bool { return a == b }),
		"Less":                      comparison(op.Expr.Less, func(a, b float64) bool { return a < b }),
		"LessOrEqual":               comparison(op.Expr.LessEqual, func(a, b float64) bool { return a <= b }),
		"Greater":                   comparison(op.Expr.Greater, func(a, b float64) bool { return a > b }),
		"GreaterOrEqual":            comparison(op.Expr.GreaterEqual, func(a, b float64) bool { return a >= b }),
		"And":                       comparison(op.Expr.Mul, func(a, b float64) bool { return a != 0 && b != 0 }),
		"Or":                        comparison(op.Expr.Maximum, func(a, b float64) bool { return a != 0 || b != 0 }),
		"Where":                     {lower: where, fold: foldWhere},
		"ReduceSum":                 {lower: reduce(op.ReduceSum, nil, nil), fold: foldReduce(0, func(s, v float64) float64 { return s + v }, false)},
		"ReduceMean":                {lower: reduce(op.ReduceMean, nil, nil), fold: foldReduce(0, func(s, v float64) float64 { return s + v }, true)},
		"ReduceMax":                 {lower: reduce(op.ReduceMax, nil, nil), fold: foldReduce(math.Inf(-1), math.Max, false)},
		"ReduceMin":                 {lower: reduce(op.ReduceMin, nil, nil), fold: foldReduce(math.Inf(1), math.Min, false)},
		"ReduceProd":                {lower: func(c *call) { c.fail("", "is supported of constants only") }, fold: foldReduce(1, func(p, v float64) float64 { return p * v }, false)},
		"ReduceL1":                  {lower: reduce(op.ReduceSum, op.Expr.Abs, nil)},
		"ReduceL2":                  {lower: reduce(op.ReduceSum, op.Expr.Square, op.Expr.Sqrt)},
		"ReduceSumSquare":           {lower: reduce(op.ReduceSum, op.Expr.Square, nil)},
		"ReduceLogSum":              {lower: reduce(op.ReduceSum, nil, logSum)},
		"Concat":                    {lower: concat, fold: foldConcat},
		"Flatten":                   {lower: flatten},
		"Reshape":                   {lower: reshape},
		"Squeeze":                   {lower: squeeze},
		"Unsqueeze":                 {lower: unsqueeze},
		"Transpose":                 {lower: transposeNode},
		"Slice":                     {lower: slice},
		"Split":                     {lower: splitNode},
		"Gather":                    {lower: gatherNode, fold: foldGather},
		"Expand":                    {lower: expand},
		"Tile":                      {lower: tile},
		"Pad":                       {lower: pad},
		"Upsample":                  {lower: upsample},
		"Resize":                    {lower: resize},
		"SpaceToDepth":              {lower: spaceToDepth},
		"DepthToSpace":              {lower: depthToSpace},
		"If":                        {lower: condition},
		"Identity":                  {lower: identity},
		"Cast":                      {lower: cast, fold: foldCast},
		"Constant":                  {lower: constantNode},
		"ConstantOfShape":           {lower: onlyFixed(foldConstantOfShape), fold: foldConstantOfShape},
		"Shape":                     {lower: onlyFixed(foldShape), fold: foldShape},
		"Size":                      {lower: onlyFixed(foldSize), fold: foldSize},
		"Range":                     {lower: onlyFixed(foldRange), fold: foldRange},
	}
}

// onlyFixed is for operations whose result is a constant, whatever they are given: a shape doesn't depend on elements.
func onlyFixed(fold func(*call) *array) func(*call) { return func(c *call) { c.fix(fold(c)) } }

func foldMod(c *call) *array {
	like := remainder
	if c.attrFlag("fmod", false) {
		like = fmod
	}
	if !c.want(2, 2) {
		return nil
	}
	return c.pairwise(c.constant(0), c.constant(1), math.Mod, like)
}
