//go:build gpu && cgo && linux

package cuda

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// What two ways differ in is told by its indices, be it in memory with the last axis last or first.
func TestWhereWaysDiffer(t *testing.T) {
	v := &graph.Value{Shape: tensor.Shape{2, 3, 4}}
	c := comparison{notFinite: sample{at: -1}, most: sample{at: 9, a: 1, b: 2.5}}
	require.Equal(t, "the one that differs most, (0, 2, 1), should be 1 and is 2.5", c.where(v, wanted))
	v.Transposed = true // (4, 2, 3): the tenth is of the second of the last axis, and the fourth of the others
	require.Equal(t, "the one that differs most, (1, 0, 1), should be 1 and is 2.5", c.where(v, wanted))
	c.notFinite = sample{at: 23, a: 1, b: 0}
	require.Equal(t, "the first of them, (1, 2, 3), should be 1 and is 0", c.where(v, wanted))
	require.Equal(t, "none in particular", (&comparison{notFinite: sample{at: -1}, most: sample{at: -1}}).where(v, wanted))
}

// An account is a line, also of a way that has several reasons not to be had.
func TestAccountIsALine(t *testing.T) {
	var a account
	a.refused("cuDNN", errors.Join(errors.New("one"), errors.New("two")))
	require.Equal(t, account{`"cuDNN" is not to be had: one; two`}, a)
}
