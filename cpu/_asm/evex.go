package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// AVX512-BF16 is younger than the tables of avo and of Go's assembler. Its instructions are carried through the allocation of
// registers under their names and then spelled as bytes (encodeForeign).

// foreign is an instruction of AVX512-BF16 on three ZMM registers, which EVEX encodes with opcode map 0F38 and W = 0.
type foreign struct{ prefix, opcode byte }

// The mandatory prefixes as EVEX numbers them.
const (
	prefixF3 = 2
	prefixF2 = 3
)

var foreigners = map[string]foreign{
	"VDPBF16PS":      {prefixF3, 0x52},
	"VCVTNE2PS2BF16": {prefixF2, 0x72},
}

// VDPBF16PS adds, of each lane of acc, the products of the pairs of bfloat16 in x and y: first of the upper halves, then of the lower.
func (f float) VDPBF16PS(x, y, acc reg.Register) {
	f.foreign("VDPBF16PS", []operand.Op{x, y, acc}, acc, x, y, acc)
}

// VCVTNE2PS2BF16 rounds 32 float32 to bfloat16: low into the lower half of dst, high into the upper.
func (f float) VCVTNE2PS2BF16(low, high, dst reg.Register) {
	f.foreign("VCVTNE2PS2BF16", []operand.Op{low, high}, dst, low, high, dst)
}

func (f float) foreign(name string, inputs []operand.Op, output operand.Op, operands ...operand.Op) {
	f.Instruction(&ir.Instruction{Opcode: name, Operands: operands, Inputs: inputs, Outputs: []operand.Op{output},
		ISA: []string{"AVX512_BF16"}})
}

// spelled is an operand that prints as it is.
type spelled string

func (s spelled) Asm() string { return string(s) }

// encodeForeign replaces the instructions that Go's assembler does not know, once their registers are chosen. A LONG and a WORD
// are the six bytes; the instruction itself follows as a comment.
func encodeForeign(i *ir.Instruction) error {
	f, ok := foreigners[i.Opcode]
	if !ok {
		return nil
	}
	var regs [3]byte
	var names [3]string
	for n, o := range i.Operands {
		r, ok := o.(reg.Register)
		if !ok || reg.ToPhysical(r) == nil || r.Kind() != reg.KindVector || r.Size() != 64 {
			return fmt.Errorf("%s: operand %d is %s, want a ZMM register", i.Opcode, n, o.Asm())
		}
		regs[n], names[n] = byte(reg.ToPhysical(r).PhysicalIndex()), o.Asm()
	}
	b := f.encode(regs[0], regs[1], regs[2])
	i.Operands = []operand.Op{spelled(fmt.Sprintf("$0x%02x%02x%02x%02x; WORD $0x%02x%02x // %s %s, %s, %s",
		b[3], b[2], b[1], b[0], b[5], b[4], i.Opcode, names[0], names[1], names[2]))}
	i.Opcode = "LONG"
	return nil
}

// encode returns the bytes of the instruction on registers in the order of Go's assembler, the destination last.
func (f foreign) encode(rm, vvvv, dst byte) [6]byte {
	const map0F38, w0, l512 = 2, 0, 2 << 5
	// EVEX stores the upper bits of register numbers inverted.
	not := func(bit byte) byte { return bit&1 ^ 1 }
	return [6]byte{
		0x62,
		not(dst>>3)<<7 | not(rm>>4)<<6 | not(rm>>3)<<5 | not(dst>>4)<<4 | map0F38,
		w0 | (^vvvv&15)<<3 | 1<<2 | f.prefix,
		l512 | not(vvvv>>4)<<3,
		f.opcode,
		0xc0 | dst&7<<3 | rm&7, // a register, not memory
	}
}
