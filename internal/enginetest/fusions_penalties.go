package enginetest

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// penaltyFusions are sums of L2 penalties.
func penaltyFusions() []FusionCase {
	penalty := func(b *B, name string, lambda float64, dims ...int) *gorgonia.Node {
		return b.Apply(&op.L2Penalty{Lambda: lambda}, b.Input(name, dims...))
	}
	sum := func(b *B, x, y *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.Add{}, x, y) }
	// of is the sum of n penalties, one after the other.
	of := func(b *B, n int) *gorgonia.Node {
		total := penalty(b, "w0", 0.1, 3, 5)
		for i := range n - 1 {
			total = sum(b, total, penalty(b, fmt.Sprintf("w%d", i+1), 0.1/float64(i+2), 1+i%4, 2+i%3))
		}
		return total
	}
	return []FusionCase{
		fusion("penalties", "three", func(b *B) {
			b.Want("y", numtest.Reduction, sum(b, b.Scalar("loss", 2.5), of(b, 3)))
		}, []string{"L2Penalties(3 values)", "Add("}, "L2Penalty("),
		fusion("penalties", "more than one step takes", func(b *B) {
			b.Want("y", numtest.Reduction, of(b, 130))
		}, []string{"L2Penalties(128 values)", "L2Penalty(", "Add("}),
		fusion("penalties", "of large and of odd sizes", func(b *B) {
			total := penalty(b, "a", 0.1, 8192)
			for i, n := range []int{1, 8191, 8193, 40961, 16384} {
				total = sum(b, penalty(b, fmt.Sprintf("w%d", i), 0.2, n), total)
			}
			b.Want("y", numtest.Reduction, total)
		}, []string{"L2Penalties(6 values)"}, "L2Penalty(", "Add("),
		fusion("penalties", "a partial sum is wanted", func(b *B) {
			first := b.Want("first", numtest.Reduction, of(b, 2))
			b.Want("y", numtest.Reduction, sum(b, first, penalty(b, "last", 0.3, 4)))
		}, []string{"L2Penalties(2 values)", "L2Penalty("}),
		fusion("penalties", "of one weight, twice", func(b *B) {
			w := b.Input("w", 3, 5)
			b.Want("y", numtest.Reduction, sum(b, b.Apply(&op.L2Penalty{Lambda: 0.1}, w), b.Apply(&op.L2Penalty{Lambda: 0.2}, w)))
		}, []string{"L2Penalties(2 values)"}, "L2Penalty("),
		fusion("penalties", "two sums", func(b *B) {
			b.Want("y", numtest.Reduction, sum(b, sum(b, penalty(b, "a", 0.1, 3), penalty(b, "b", 0.2, 4)), sum(b, penalty(b, "c", 0.3, 5), penalty(b, "d", 0.4, 6))))
		}, []string{"L2Penalties(2 values)", "Add("}, "L2Penalty("),
		fusion("penalties", "one", func(b *B) {
			b.Want("y", numtest.Reduction, sum(b, b.Scalar("loss", 2.5), penalty(b, "w", 0.1, 3, 5)))
		}, nil),
		fusion("penalties", "one, twice", func(b *B) {
			l2 := penalty(b, "w", 0.1, 3, 5)
			b.Want("y", numtest.Reduction, sum(b, l2, l2))
		}, nil),
		fusion("penalties", "each is wanted", func(b *B) {
			b.Want("y", numtest.Reduction, sum(b, b.out(penalty(b, "a", 0.1, 3)), b.out(penalty(b, "b", 0.2, 4))))
		}, nil),
	}
}
