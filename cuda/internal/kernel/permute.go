package kernel

import (
	"slices"

	"gorgonia.org/tensor"
)

// axis is an axis of a result: its length, and what a step along it is in x and in y, in elements.
type axis struct{ size, x, y int }

const (
	mostAxes   = 8  // of struct Axes
	tileSide   = 32 // of the tiles of a transposition
	narrowSide = 8  // matrices with shorter sides are not worth a tile
)

// permute moves x, of the given shape, to y, whose axis i is x's axis perm[i]. It returns nil for more than 8 axes that do not
// stay together.
func (b *Builder) permute(dt tensor.Dtype, y, x Pointer, dims tensor.Shape, perm []int) Command {
	axes, n := permuted(dims, perm), dims.TotalSize()
	if len(axes) <= 1 {
		return &Move{To: y, From: x, Bytes: int64(n) * int64(dt.Size())}
	}
	along := slices.IndexFunc(axes, func(a axis) bool { return a.x == 1 })
	if last := axes[len(axes)-1]; along < len(axes)-1 && last.size >= narrowSide && axes[along].size >= narrowSide {
		if outer := slices.Delete(slices.Clone(axes[:len(axes)-1]), along, along+1); len(outer) <= mostAxes {
			return b.transpose(dt, y, x, outer, last, axes[along])
		}
	}
	if len(axes) > mostAxes {
		return nil
	}
	return b.each("layout.cu", "permute_each", dt, n, y, x, axesOf(axes))
}

// permuted returns the axes of a permutation's result: without axes of size 1, and with neighbours as one that are neighbours in
// x too. Exactly one of them has step 1 in x.
func permuted(dims tensor.Shape, perm []int) []axis {
	var axes []axis
	y := dims.TotalSize()
	for _, p := range perm {
		size, x := dims[p], 1
		y /= size
		for _, d := range dims[p+1:] {
			x *= d
		}
		if size == 1 {
			continue
		}
		if k := len(axes) - 1; k >= 0 && axes[k].x == x*size {
			axes[k] = axis{axes[k].size * size, x, y}
			continue
		}
		axes = append(axes, axis{size, x, y})
	}
	return axes
}

// transpose turns matrices around: row is the axis along memory in y, column the one along memory in x, outer are all others.
func (b *Builder) transpose(dt tensor.Dtype, y, x Pointer, outer []axis, row, column axis) Command {
	down, across := ceilDiv(row.size, tileSide), ceilDiv(column.size, tileSide)
	tiles := down * across
	for _, a := range outer {
		tiles *= a.size
	}
	return &Launch{Source: File("layout.cu", dt), Name: "permute_tiles", Grid: Dim3{X: min(tiles, 1<<20)}, Block: Dim3{X: tileSide, Y: 8},
		Args: []any{y, x, axesOf(outer), int64(row.size), int64(column.size), int64(row.x), int64(column.y),
			structOf(divideBy(across)), structOf(divideBy(down * across)), int64(tiles)}}
}

// axesOf is struct Axes of move.cu.
func axesOf(axes []axis) Bytes {
	var v struct {
		Size       [mostAxes]divisor
		X, Y       [mostAxes]int64
		Count, Pad int32
	}
	for i, a := range axes {
		v.Size[i], v.X[i], v.Y[i] = divideBy(a.size), int64(a.x), int64(a.y)
	}
	v.Count = int32(len(axes))
	return structOf(v)
}
