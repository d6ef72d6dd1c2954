package graph

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// Random lifetimes: values that live at the same time never share a byte, offsets are aligned, and the arena is no
// larger than all values one after the other and no smaller than the fullest moment.
func TestLayOut(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		steps := 1 + rng.IntN(40)
		lives := make([]life, rng.IntN(60))
		sum := 0
		at := make([]int, steps+50)
		for i := range lives {
			born := rng.IntN(steps)
			v := &Value{ID: i, Shape: tensor.Shape{1 + rng.IntN(1+rng.IntN(400))}, Dtype: tensor.Float32}
			lives[i] = life{v, born, born + rng.IntN(1+rng.IntN(20))}
			sum += padded(v)
			for s := born; s <= lives[i].dies; s++ {
				at[s] += padded(v)
			}
		}
		fullest := 0
		for _, n := range at {
			fullest = max(fullest, n)
		}
		size := layOut(append([]life(nil), lives...), new(int))
		require.LessOrEqual(t, size, sum)
		require.GreaterOrEqual(t, size, fullest)
		require.Zero(t, size%align)
		for i, a := range lives {
			require.Zero(t, a.v.Offset%align)
			require.LessOrEqual(t, a.v.Offset+a.v.Bytes(), size)
			for _, b := range lives[:i] {
				apart := a.dies < b.born || b.dies < a.born
				disjoint := a.v.Offset+a.v.Bytes() <= b.v.Offset || b.v.Offset+b.v.Bytes() <= a.v.Offset
				require.True(t, apart || disjoint, "seed %d: %s and %s", seed, describe(a), describe(b))
			}
		}
	}
}

// The tree finds the same places as a walk over all blocks.
func TestLayOutEqualsTheWalk(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		lives := make([]life, rng.IntN(300))
		steps := 1 + rng.IntN(400)
		for i := range lives {
			v := &Value{ID: i, Shape: tensor.Shape{rng.IntN(1 + rng.IntN(4000))}, Dtype: tensor.Float32}
			born := rng.IntN(steps)
			lives[i] = life{v, born, born + rng.IntN(1+rng.IntN(steps))}
			if seed%3 == 0 { // nested, as activations are
				lives[i] = life{v, i, 2*len(lives) - i - rng.IntN(2)}
			}
		}
		got := layOut(slices.Clone(lives), new(int))
		offsets := make([]int, len(lives))
		for i, l := range lives {
			offsets[i] = l.v.Offset
		}
		require.Equal(t, layOutByWalking(slices.Clone(lives)), got)
		for i, l := range lives {
			require.Equal(t, l.v.Offset, offsets[i], "seed %d, value %d", seed, i)
		}
	}
}

// layOutByWalking is layOut as its documentation reads, in quadratic time.
func layOutByWalking(lives []life) int {
	slices.SortStableFunc(lives, func(a, b life) int { return cmp.Compare(b.v.Bytes(), a.v.Bytes()) })
	var placed []life // by offset
	size := 0
	for _, l := range lives {
		offset := 0
		for _, b := range placed {
			if b.dies < l.born || l.dies < b.born {
				continue
			}
			if b.v.Offset >= offset+padded(l.v) {
				break
			}
			offset = max(offset, b.v.Offset+padded(b.v))
		}
		l.v.Offset = offset
		at, _ := slices.BinarySearchFunc(placed, offset, func(b life, o int) int { return cmp.Compare(b.v.Offset, o) })
		placed = slices.Insert(placed, at, l)
		size = max(size, offset+padded(l.v))
	}
	return size
}

func padded(v *Value) int { return (v.Bytes() + align - 1) / align * align }

func describe(l life) string {
	return fmt.Sprintf("%d bytes at %d during %d..%d", l.v.Bytes(), l.v.Offset, l.born, l.dies)
}

// A chain of equal values needs two places, however long it is.
func TestLayOutReusesMemory(t *testing.T) {
	var lives []life
	for i := range 100 {
		lives = append(lives, life{&Value{ID: i, Shape: tensor.Shape{256}, Dtype: tensor.Float32}, i, i + 1})
	}
	require.Equal(t, 2*1024, layOut(lives, new(int)))
	require.Zero(t, layOut(nil, new(int)))
}

func TestPeakBytes(t *testing.T) {
	in := &Value{Shape: tensor.Shape{3}, Dtype: tensor.Float64, Where: External}
	view := &Value{Shape: tensor.Shape{3, 1}, Dtype: tensor.Float64, Where: External, Alias: in}
	label := &Value{Dtype: tensor.Int, Where: External}
	mid := &Value{Shape: tensor.Shape{100}, Dtype: tensor.Float32}
	p := &Plan{Values: []*Value{in, view, label, mid}, ArenaBytes: 448}
	require.Equal(t, 24+8+448, p.PeakBytes())
}
