package kernel

import (
	"fmt"

	"github.com/stheno-ml/stheno/graph/ir"
)

// BatchMatMul64 is [ir.BatchMatMul] in float64, in plain loops, a row of an item at a time.
type BatchMatMul64 struct {
	g              ir.Product
	transA, transB bool
	rows           split // of one item
	loop           phase
	y, a, b        []float64
}

// NewBatchMatMul64 prepares the products.
func NewBatchMatMul64(e Env, g ir.Product, transA, transB bool) (*BatchMatMul64, error) {
	if g.Batch < 1 || g.M < 1 || g.N < 1 || g.K < 1 {
		return nil, fmt.Errorf("kernel: BatchMatMul of %d products of %d×%d by %d×%d; want at least 1", g.Batch, g.M, g.K, g.K, g.N)
	}
	k := &BatchMatMul64{g: g, transA: transA, transB: transB}
	k.rows = splitBy(g.M, g.N*g.K)
	k.loop = newPhase(e.Pool, g.Batch*k.rows.parts, k.part)
	return k, nil
}

// Run computes y from a and b, which it must not overlap.
func (k *BatchMatMul64) Run(y, a, b []float64) {
	k.y, k.a, k.b = y, a, b
	k.loop.run()
}

func (k *BatchMatMul64) part(_, part int) {
	item := part / k.rows.parts
	lo, hi := k.rows.bounds(part % k.rows.parts)
	g := &k.g
	a := k.a[item*g.M*g.K : (item+1)*g.M*g.K]
	b := k.b[item*g.K*g.N : (item+1)*g.K*g.N]
	y := k.y[item*g.M*g.N : (item+1)*g.M*g.N]
	for row := lo; row < hi; row++ {
		productRow(y[row*g.N:(row+1)*g.N], a, b, row, g, k.transA, k.transB)
	}
}

// productRow computes one row of op(a)·op(b).
func productRow(y, a, b []float64, row int, g *ir.Product, transA, transB bool) {
	at, step := row*g.K, 1
	if transA {
		at, step = row, g.M
	}
	if transB {
		for j := range y {
			sum, at := 0.0, at
			for _, v := range b[j*g.K : (j+1)*g.K] {
				sum += a[at] * v
				at += step
			}
			y[j] = sum
		}
		return
	}
	clear(y)
	for i := range g.K {
		f := a[at+i*step]
		for j, v := range b[i*g.N : (i+1)*g.N] {
			y[j] += f * v
		}
	}
}
