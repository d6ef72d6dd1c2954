package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// readMasks makes a mask each of the flags (0 or -1) from disp on in the argument t.
func (w *wino) readMasks(t reg.Register, disp, count int) {
	w.masks, w.tail = nil, nil
	if !w.is512() {
		w.slots = w.AllocLocal(32 * (count + 1))
		x := w.vec()
		for i := range count {
			w.VBROADCASTSS(at(t, disp+4*i), x)
			w.VMOVUPS(x, w.slots.Offset(32*i))
		}
		w.VPCMPEQD(x, x, x)
		w.VMOVUPS(x, w.slots.Offset(32*count))
		return
	}
	for i := range count {
		k := w.K()
		w.KMOVW(at(t, disp+4*i), k)
		w.masks = append(w.masks, k)
	}
	k := w.K()
	w.KXNORW(k, k, k)
	w.tail = k
}

// cutMasks takes from the masks what lies beyond n channels.
func (w *wino) cutMasks(n reg.GPVirtual, count int) {
	if w.is512() {
		w.setMask(n)
	} else { // with one register less than setMask
		p, v := w.GP64(), w.vec()
		w.LEAQ(w.table.Offset(32), p)
		w.SHLQ(operand.U8(2), n)
		w.SUBQ(n, p)
		w.SHRQ(operand.U8(2), n)
		w.VMOVUPS(at(p, 0), v)
		w.mask = v
	}
	for i := range count + 1 {
		switch {
		case !w.is512() && i < count:
			x := w.vec()
			w.VANDPS(w.slots.Offset(32*i), w.mask, x)
			w.VMOVUPS(x, w.slots.Offset(32*i))
		case !w.is512():
			w.VMOVUPS(w.mask, w.slots.Offset(32*i))
		case i < count:
			w.KANDW(w.mask, w.masks[i], w.masks[i])
		default:
			w.KMOVW(w.mask, w.tail)
		}
	}
}

// maskOf is mask i, or with i = len(masks) that of the tail.
func (w *wino) maskOf(i, count int) reg.Register {
	switch {
	case !w.is512():
		m := w.vec()
		w.VMOVUPS(w.slots.Offset(32*i), m)
		return m
	case i == count:
		return w.tail
	}
	return w.masks[i]
}

// chunks emits the loop over a tile's channels, a vector a turn: without masks where nothing hangs over, else with them.
// body leaves the pointers where they are, moving are what goes on.
func (w *wino) chunks(part operand.Mem, t reg.Register, disp, count int, n reg.GPVirtual, moving []reg.GPVirtual, body func(masked bool)) {
	step := func() {
		for _, p := range moving {
			w.ADDQ(operand.U8(4*w.lanes), p)
		}
		w.SUBQ(operand.U8(w.lanes), n)
	}
	w.readMasks(t, disp, count)
	w.CMPL(part, operand.U8(0))
	w.JNE(operand.LabelRef("part"))
	w.CMPQ(n, operand.U8(w.lanes))
	w.JL(operand.LabelRef("part"))
	w.Label("whole")
	body(false)
	step()
	w.JZ(operand.LabelRef("end"))
	w.CMPQ(n, operand.U8(w.lanes))
	w.JGE(operand.LabelRef("whole"))
	w.Label("part")
	w.CMPQ(n, operand.U8(w.lanes))
	w.JGE(operand.LabelRef("partfull"))
	w.cutMasks(n, count)
	w.Label("partfull")
	body(true)
	step()
	w.JG(operand.LabelRef("part"))
	w.Label("end")
	w.done()
}

// loadMasked loads with mask i of count.
func (w *wino) loadMasked(m operand.Mem, i, count int) reg.VecVirtual {
	x := w.vec()
	if w.is512() {
		w.VMOVUZ(m, w.maskOf(i, count), x)
	} else {
		w.VMASKMOV(m, w.maskOf(i, count), x)
	}
	return x
}

func (w *wino) storeMasked(x reg.Register, m operand.Mem, i, count int) {
	if w.is512() {
		w.VMOVU(x, w.maskOf(i, count), m)
	} else {
		w.VMASKMOV(x, w.maskOf(i, count), m)
	}
}
