package nn

import "github.com/stheno-ml/stheno/graph/op"

// Hinge is Keras's Hinge: the mean of max(1 − target·predicted, 0) along the last axis. Targets are −1 and 1; where all of them are 0 or 1,
// they are taken for those.
type Hinge struct{ Reduction Reduction }

func (l Hinge) rule() lossRule {
	return lossRule{class: "Hinge", reduction: l.Reduction, values: elementwise(margin)}
}

// SquaredHinge is Keras's SquaredHinge: the mean of max(1 − target·predicted, 0)² along the last axis, of targets as of [Hinge].
type SquaredHinge struct{ Reduction Reduction }

func (l SquaredHinge) rule() lossRule {
	return lossRule{class: "SquaredHinge", reduction: l.Reduction, values: elementwise(func(p, t op.Expr) op.Expr { return margin(p, t).Square() })}
}

// margin is what is missing to one.
func margin(p, t op.Expr) op.Expr {
	one, zero := op.Number(1), op.Number(0)
	binary := t.Equal(zero).Add(t.Equal(one)).Reduce(op.ReduceMin) // 1 if all of them are 0 or 1
	t = t.Add(t.Sub(one).Mul(binary))                              // 2t − 1
	return one.Sub(t.Mul(p)).Maximum(zero)
}

// CategoricalHinge is Keras's CategoricalHinge: max(neg − pos + 1, 0), where pos is Σ target·predicted and neg the largest
// (1−target)·predicted along the last axis. Targets are one-hot vectors.
type CategoricalHinge struct{ Reduction Reduction }

func (l CategoricalHinge) rule() lossRule {
	return lossRule{class: "CategoricalHinge", reduction: l.Reduction, values: func(p, t op.Expr) op.Expr {
		one := op.Number(1)
		return one.Sub(t).Mul(p).Max(-1).Sub(t.Mul(p).Sum(-1)).Add(one).Maximum(op.Number(0))
	}}
}
