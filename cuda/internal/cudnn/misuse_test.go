//go:build gpu && cgo && linux

package cudnn

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// TestMisuseIsRefused is about the simulated cuDNN: what a builder does wrong does not go unnoticed. The real one accepts some
// of it, and ends the process for others.
func TestMisuseIsRefused(t *testing.T) {
	l := library(t)
	if !simulated(t, l) {
		t.Skip("it is about the simulated cuDNN")
	}
	h := &Handle{lib: l}
	good := operand{uid: 1, dtype: dataFloat, dims: []int64{1, 4, 5, 6}, strides: []int64{120, 1, 24, 4}, alignment: 16}
	for name, misuse := range map[string]func(b *builder){
		"a descriptor of an unknown kind": func(b *builder) { b.start(9999) },
		"an attribute is missing": func(b *builder) {
			b.make(kindTensor, ints(tensorUID, 1), enum(tensorType, typeDataType, dataFloat), ints(tensorDims, good.dims...), ints(tensorAlignment, 16))
		},
		"an attribute of another kind": func(b *builder) { b.make(kindTensor, ints(convSpatial, 2)) },
		"an attribute of the wrong type": func(b *builder) {
			b.make(kindConvolution, values(convSpatial, typeFloat, float32(2)))
		},
		"too many elements": func(b *builder) { b.make(kindConvolution, ints(convSpatial, 2, 2)) },
		"an extent of 0": func(b *builder) {
			o := good
			o.dims = []int64{1, 4, 0, 6}
			h.tensor(b, o)
		},
		"an operation of a tensor that is not finalized": func(b *builder) {
			b.make(kindForward, descriptors(forwardX, b.start(kindTensor)))
		},
		"a graph of something that is no operation": func(b *builder) { h.operations(b, h.tensor(b, good)) },
		"a change of what is finalized": func(b *builder) {
			d := h.tensor(b, good)
			b.set(kindTensor, d, ints(tensorUID, 2))
		},
		"a look at what is not finalized": func(b *builder) {
			get(b, b.start(kindPlan), planWorkspace, typeInt64, make([]int64, 1))
		},
		"a plan without a configuration": func(b *builder) { b.make(kindPlan) },
		"a pack without pointers":        func(b *builder) { b.make(kindVariantPack, ints(packUIDs, 1), pointers(packWorkspace, 256)) },
	} {
		t.Run(name, func(t *testing.T) {
			b := builder{lib: l}
			defer b.destroy()
			misuse(&b)
			require.Error(t, b.err)
			t.Log(b.err)
			var none unsafe.Pointer
			require.Equal(t, none, b.start(kindTensor), "nothing is done after an error")
		})
	}
}
