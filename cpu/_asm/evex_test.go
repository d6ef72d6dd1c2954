package main

import (
	"fmt"
	"testing"
)

// What GNU as makes of these instructions, registers here in the order of Go's assembler (which is also GNU's).
func TestEncode(t *testing.T) {
	for _, c := range []struct {
		name          string
		rm, vvvv, dst byte
		want          string
	}{
		{"VDPBF16PS", 1, 2, 0, "62 f2 6e 48 52 c1"},
		{"VDPBF16PS", 12, 12, 11, "62 52 1e 48 52 dc"},
		{"VDPBF16PS", 24, 25, 31, "62 02 36 40 52 f8"},
		{"VDPBF16PS", 7, 16, 8, "62 72 7e 40 52 c7"},
		{"VDPBF16PS", 16, 7, 23, "62 a2 46 48 52 f8"},
		{"VDPBF16PS", 31, 0, 15, "62 12 7e 48 52 ff"},
		{"VCVTNE2PS2BF16", 0, 1, 2, "62 f2 77 48 72 d0"},
		{"VCVTNE2PS2BF16", 9, 18, 27, "62 42 6f 40 72 d9"},
		{"VCVTNE2PS2BF16", 30, 5, 14, "62 12 57 48 72 f6"},
	} {
		if got := fmt.Sprintf("% x", foreigners[c.name].encode(c.rm, c.vvvv, c.dst)); got != c.want {
			t.Errorf("%s Z%d, Z%d, Z%d: %s, want %s", c.name, c.rm, c.vvvv, c.dst, got, c.want)
		}
	}
}
