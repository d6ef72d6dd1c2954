package onnx

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
)

// TestRandomGraphs makes graphs of all operations with operands and attributes at random, most of them senseless: mistakes are errors.
func TestRandomGraphs(t *testing.T) {
	rounds := 6_000
	if testing.Short() {
		rounds = 2_000
	}
	built := 0
	for seed := range rounds {
		raw := randomGraph(uint64(seed))
		if err := attempt(raw); err != nil {
			typed(t, err)
		} else {
			built++
		}
	}
	t.Logf("%d of %d graphs were sound", built, rounds)
}

func FuzzOperators(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		if err := attempt(randomGraph(seed)); err != nil {
			typed(t, err)
		}
	})
}

var attributeNames = []string{"axis", "axes", "perm", "kernel_shape", "strides", "dilations", "pads", "group", "auto_pad", "ceil_mode", "keepdims", "alpha",
	"beta", "transA", "transB", "mode", "scales", "size", "epsilon", "starts", "ends", "split", "num_outputs", "blocksize", "to", "output_padding", "output_shape",
	"count_include_pad", "allowzero", "coordinate_transformation_mode", "nearest_mode", "min", "max", "value_ints", "value_float"}

// randomGraph is determined by its seed.
func randomGraph(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	names := make([]string, 0, len(operators))
	for name := range operators {
		names = append(names, name)
	}
	sort.Strings(names)
	small := func() int {
		switch r.IntN(25) {
		case 0:
			return -1
		case 1:
			return []int{1 << 30, -1 << 30, 1 << 40, -2, 1 << 62}[r.IntN(5)]
		}
		return r.IntN(5)
	}
	list := func(n int) []int {
		out := make([]int, n)
		for i := range out {
			out[i] = small()
		}
		return out
	}
	tensors := map[string]*array{}
	values := []string{"x", "x", "x", "i"}
	for i := range 6 {
		name := fmt.Sprintf("t%d", i)
		s := list(r.IntN(5))
		for k := range s {
			s[k] = max(min(s[k], 4), 0)
		}
		a := &array{elem: elemFloat, shape: s}
		if r.IntN(2) == 0 {
			a.elem = elemInt64
			a.i64 = make([]int64, size(s))
			for k := range a.i64 {
				a.i64[k] = int64(small())
			}
		} else {
			a.f32 = make([]float32, size(s))
			for k := range a.f32 {
				a.f32[k] = float32(small())
			}
		}
		tensors[name] = a
		values = append(values, name)
	}
	var parts []part
	for i := range 1 + r.IntN(4) {
		p := part{opType: names[r.IntN(len(names))], out: []string{fmt.Sprintf("v%d", i)}}
		if r.IntN(8) == 0 {
			p.out = append(p.out, fmt.Sprintf("w%d", i))
		}
		for k := range r.IntN(3) + r.IntN(2) {
			if k == 0 {
				p.in = append(p.in, values[len(values)-1-r.IntN(len(values))])
				if r.IntN(2) == 0 {
					p.in[0] = "x"
				}
			} else {
				p.in = append(p.in, slices.Concat(values, []string{""})[r.IntN(len(values)+1)])
			}
		}
		for range max(0, r.IntN(4)-1) {
			a := attr{name: attributeNames[r.IntN(len(attributeNames))]}
			switch r.IntN(4) {
			case 0:
				a.value = small()
			case 1:
				a.value = list(r.IntN(9))
			case 2:
				a.value = []string{"SAME_UPPER", "SAME_LOWER", "VALID", "reflect", "edge", "linear", "nearest", "CRD", "align_corners", "?"}[r.IntN(10)]
			default:
				a.value = float64(small())
			}
			p.attrs = append(p.attrs, a)
		}
		parts = append(parts, p)
		values = append(values, p.out...)
	}
	parts = append(parts, part{opType: "Identity", in: []string{parts[len(parts)-1].out[0]}, out: []string{"y"}})
	return byHand([]int{6, 7, 9, 10, 11, 12, 13, 17, 18, 21}[r.IntN(10)], tensors, parts...)
}
