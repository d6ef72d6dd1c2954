package nn

import (
	"math"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
)

// The layers of attention take a query (None, queries, …), a value (None, keys, …) and, if a third input is given, a key (None, keys, …); without
// one the value is the key as well, as in Keras. Self-attention is b.Add(layer, x, x). Attention masks other than the causal one are not there.

// Attention is dot-product attention without weights (Luong et al. 2015): each query's result is the sum of the values, weighed by the softmax of
// its scalar products with the keys. Keras: Attention, with score_mode "dot" and without use_scale. Inputs (None, T, d), (None, S, e) and, for
// the key, (None, S, d); result (None, T, e).
type Attention struct {
	Dropout float64 // dropout: share of the weights that is dropped in training, 0 ≤ Dropout < 1
	Causal  bool    // use_causal_mask, an argument of the call in Keras: query i sees the keys 0 to i alone
	Name    string
}

// AdditiveAttention is [Attention] by Σ scale·tanh(query + key) in place of the scalar product (Bahdanau et al. 2015). Keras: AdditiveAttention.
// Weight: scale (d,).
type AdditiveAttention struct {
	NoScale bool    // use_scale=False
	Dropout float64 // dropout: share of the weights that is dropped in training, 0 ≤ Dropout < 1
	Causal  bool    // use_causal_mask, an argument of the call in Keras: query i sees the keys 0 to i alone
	Name    string
}

// Identity implements [Layer].
func (l Attention) Identity() (class, name string) { return "Attention", l.Name }

// Identity implements [Layer].
func (l AdditiveAttention) Identity() (class, name string) { return "AdditiveAttention", l.Name }

// Arity implements [MultiInput]: query, value and perhaps a key.
func (l Attention) Arity() (least, most int) { return 2, 3 }

// Arity implements [MultiInput]: query, value and perhaps a key.
func (l AdditiveAttention) Arity() (least, most int) { return 2, 3 }

// Infer implements [Layer].
func (l Attention) Infer(s *Spec) (Shape, error) { return s.attended(l.Dropout, l.Causal) }

// Infer implements [Layer].
func (l AdditiveAttention) Infer(s *Spec) (Shape, error) {
	out, err := s.attended(l.Dropout, l.Causal)
	if err != nil {
		return nil, err
	}
	q, v := s.Inputs[0], s.Inputs[1]
	if pairs := (Shape{q[0], v[0], q[1]}); !reasonable(pairs) {
		return nil, badShape("use shorter sequences", "the sums of all pairs would be more than 2³⁴ elements, %v", pairs)
	}
	if !l.NoScale {
		s.Weight(Weight{Name: "scale", Shape: []int{q[1]}, Trainable: true, Initializer: GlorotUniform{}})
	}
	return out, nil
}

// keyOf is the last input: the key, or the value where there is none.
func keyOf[T any](inputs []T) T { return inputs[len(inputs)-1] }

// attended checks the inputs of an attention whose scores are of queries and keys of one size, and returns the result's shape.
func (s *Spec) attended(dropout float64, causal bool) (Shape, error) {
	if err := s.sequences(causal); err != nil {
		return nil, err
	}
	q, v, k := s.Inputs[0], s.Inputs[1], keyOf(s.Inputs)
	if q[1] != k[1] {
		return nil, badShape("bring both to one size, e.g. with a Dense", "wants queries and keys of one size, queries have %d, keys %d", q[1], k[1])
	}
	return Shape{q[0], v[1]}, checkShare("Dropout", dropout)
}

// sequences checks that all inputs are sequences of vectors, and that there are as many keys as values.
func (s *Spec) sequences(causal bool) error {
	for i, in := range s.Inputs {
		if len(in) != 2 {
			return badShape("make a sequence of it, e.g. with a Reshape", "wants sequences of vectors (None, steps, features), input %d is %v", i, in)
		}
	}
	if v, k := s.Inputs[1], keyOf(s.Inputs); v[0] != k[0] {
		return badShape("give a key for each value", "wants as many keys as values, got %d keys and %d values", k[0], v[0])
	}
	if pairs := (Shape{s.Inputs[0][0], s.Inputs[1][0]}); !reasonable(pairs) {
		return badShape("use shorter sequences", "the scores of all pairs would be more than 2³⁴ elements, %v", pairs)
	}
	if queries, keys := s.Inputs[0][0], s.Inputs[1][0]; causal && max(queries, keys) > mostPlaces {
		return badShape("use shorter sequences", "a causal mask is of at most 2²⁴ queries and keys, got %d and %d", queries, keys)
	}
	return nil
}

// mostPlaces bounds the sequences of a causal mask, whose places are compared in float32.
const mostPlaces = 1 << 24

// Apply implements [Layer].
func (l Attention) Apply(c *Context) *gorgonia.Node {
	q, v, k := op.Try(c.Inputs[0], c.err), op.Try(c.Inputs[1], c.err), op.Try(keyOf(c.Inputs), c.err)
	return c.attend(c.Expr(q.BatchMatMul(k, false, true)), v, l.Causal, l.Dropout)
}

// Apply implements [Layer].
func (l AdditiveAttention) Apply(c *Context) *gorgonia.Node {
	q, v, k := op.Try(c.Inputs[0], c.err), op.Try(c.Inputs[1], c.err), op.Try(keyOf(c.Inputs), c.err)
	pairs := q.Expand(2).Add(k.Expand(1)).Tanh()
	if !l.NoScale {
		pairs = pairs.Mul(op.Try(c.Weight("scale"), c.err))
	}
	return c.attend(c.Expr(pairs.Sum(-1)), v, l.Causal, l.Dropout)
}

// attend turns scores (…, queries, keys) into weights, and returns the sums of the values (…, keys, size) that these make.
func (c *Context) attend(scores *gorgonia.Node, values op.Expr, causal bool, dropout float64) *gorgonia.Node {
	if scores == nil {
		return nil
	}
	s := scores.Shape()
	if causal {
		scores = c.Expr(op.Of(scores).Add(c.causal(s[len(s)-2], s[len(s)-1])))
	}
	weights := c.dropout(Softmax.apply(c, scores), dropout)
	return c.Expr(op.Try(weights, c.err).BatchMatMul(values, false, false))
}

// causal is what is added to the scores (queries, keys) of those keys that come behind the query: Keras's −10⁹, of which the softmax makes 0. It is
// computed from the places, since the model of a small file may have more pairs than memory.
func (c *Context) causal(queries, keys int) op.Expr {
	query := op.Try(c.values("queries", []int{queries, 1}, places(queries)), c.err)
	return op.Try(c.values("keys", []int{keys}, places(keys)), c.err).Greater(query).Mul(op.Number(-1e9))
}

// places are 0 to n−1.
func places(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(i)
	}
	return out
}

// MultiHeadAttention is Keras's MultiHeadAttention(num_heads, key_dim) (Vaswani et al. 2017): queries, keys and values are projected to Heads
// vectors each, the scores are divided by √KeyDim, and the results of all heads are projected together. Inputs (None, T, …), (None, S, …) and, for the
// key, (None, S, …); result (None, T, OutputDim). Weights: query/kernel (features, Heads, KeyDim), query/bias (Heads, KeyDim), key/kernel and
// key/bias, value/kernel and value/bias of ValueDim, attention_output/kernel (Heads, ValueDim, OutputDim) and attention_output/bias (OutputDim,).
type MultiHeadAttention struct {
	Heads     int     // num_heads; required
	KeyDim    int     // key_dim: size of the queries and keys of a head; required
	ValueDim  int     // value_dim: size of the values of a head; 0 means KeyDim
	OutputDim int     // output_shape; 0 means the query's features
	Dropout   float64 // dropout: share of the weights that is dropped in training, 0 ≤ Dropout < 1
	NoBias    bool    // use_bias=False
	Causal    bool    // use_causal_mask, an argument of the call in Keras: query i sees the keys 0 to i alone

	KernelInitializer Initializer // kernel_initializer; nil means GlorotUniform
	BiasInitializer   Initializer // bias_initializer; nil means Zeros
	KernelRegularizer Regularizer // kernel_regularizer; nil means none
	BiasRegularizer   Regularizer // bias_regularizer; nil means none
	KernelConstraint  Constraint  // kernel_constraint; nil means none
	BiasConstraint    Constraint  // bias_constraint; nil means none

	Name string
}

// Identity implements [Layer].
func (l MultiHeadAttention) Identity() (class, name string) { return "MultiHeadAttention", l.Name }

// Arity implements [MultiInput]: query, value and perhaps a key.
func (l MultiHeadAttention) Arity() (least, most int) { return 2, 3 }

// Infer implements [Layer].
func (l MultiHeadAttention) Infer(s *Spec) (Shape, error) {
	for _, f := range []struct {
		name  string
		value int
		least int
	}{{"Heads", l.Heads, 1}, {"KeyDim", l.KeyDim, 1}, {"ValueDim", l.ValueDim, 0}, {"OutputDim", l.OutputDim, 0}} {
		if f.value < f.least {
			return nil, badArgument("set it to the number that Keras's layer has", "%s must be at least %d, is %d", f.name, f.least, f.value)
		}
	}
	if err := s.sequences(l.Causal); err != nil {
		return nil, err
	}
	q, v, k := s.Inputs[0], s.Inputs[1], keyOf(s.Inputs)
	if scores := (Shape{l.Heads, q[0], v[0]}); !reasonable(scores) {
		return nil, badShape("use shorter sequences or fewer heads", "the scores of all pairs would be more than 2³⁴ elements, %v", scores)
	}
	project := func(name string, kernel, bias []int) {
		s.Weight(Weight{Name: name + "/kernel", Shape: kernel, Trainable: true, Initializer: orDefault(l.KernelInitializer, GlorotUniform{}),
			Regularizer: l.KernelRegularizer, Constraint: l.KernelConstraint})
		if !l.NoBias {
			s.Weight(Weight{Name: name + "/bias", Shape: bias, Trainable: true, Initializer: l.BiasInitializer, Regularizer: l.BiasRegularizer,
				Constraint: l.BiasConstraint})
		}
	}
	valueDim, out := l.valueDim(), Shape{q[0], l.outputDim(q)}
	project("query", []int{q[1], l.Heads, l.KeyDim}, []int{l.Heads, l.KeyDim})
	project("key", []int{k[1], l.Heads, l.KeyDim}, []int{l.Heads, l.KeyDim})
	project("value", []int{v[1], l.Heads, valueDim}, []int{l.Heads, valueDim})
	project("attention_output", []int{l.Heads, valueDim, out[1]}, []int{out[1]})
	return out, checkShare("Dropout", l.Dropout)
}

func (l MultiHeadAttention) valueDim() int {
	if l.ValueDim == 0 {
		return l.KeyDim
	}
	return l.ValueDim
}

func (l MultiHeadAttention) outputDim(query Shape) int {
	if l.OutputDim == 0 {
		return query[1]
	}
	return l.OutputDim
}

// Apply implements [Layer].
func (l MultiHeadAttention) Apply(c *Context) *gorgonia.Node {
	q := l.heads(c, "query", c.Inputs[0], l.KeyDim, 1/math.Sqrt(float64(l.KeyDim)))
	k := l.heads(c, "key", keyOf(c.Inputs), l.KeyDim, 1)
	v := l.heads(c, "value", c.Inputs[1], l.valueDim(), 1)
	if c.err != nil {
		return nil
	}
	y := c.attend(c.Expr(op.Try(q, c.err).BatchMatMul(op.Try(k, c.err), false, true)), op.Try(v, c.err), l.Causal, l.Dropout)
	if y == nil {
		return nil
	}
	s := y.Shape() // (batch, heads, steps, size)
	y = c.Op(&op.Permute{Axes: []int{0, 2, 1, 3}}, y)
	y = l.project(c, "attention_output", c.view(y, s[0]*s[2], s[1]*s[3]), c.OutputShape[1])
	return c.view(y, s[0], s[2], c.OutputShape[1])
}

// heads projects a sequence (batch, steps, features) to (batch, heads, steps, size), times a factor. That comes before the permutation, which
// the compiler makes a part of the attention.
func (l MultiHeadAttention) heads(c *Context, name string, x *gorgonia.Node, size int, factor float64) *gorgonia.Node {
	if x == nil {
		return nil
	}
	s := x.Shape()
	y := l.project(c, name, c.view(x, s[0]*s[1], s[2]), l.Heads*size)
	if factor != 1 {
		y = c.Op(&op.Scale{Factor: factor}, y)
	}
	return c.Op(&op.Permute{Axes: []int{0, 2, 1, 3}}, c.view(y, s[0], s[1], l.Heads, size))
}

// project multiplies rows with a kernel and adds a bias.
func (l MultiHeadAttention) project(c *Context, name string, rows *gorgonia.Node, columns int) *gorgonia.Node {
	if rows == nil {
		return nil
	}
	y := c.Op(&op.MatMul{}, rows, c.view(c.Weight(name+"/kernel"), rows.Shape()[1], columns))
	if !l.NoBias {
		y = c.Op(&op.BiasAdd{Axis: -1}, y, c.view(c.Weight(name+"/bias"), columns))
	}
	return y
}
