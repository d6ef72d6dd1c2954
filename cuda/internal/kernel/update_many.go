package kernel

import (
	bin "encoding/binary"

	"gorgonia.org/tensor"
)

// Resolved is a launch whose pointers are addresses of the device's memory.
type Resolved struct {
	Source      Source
	Name        string
	Grid, Block Dim3
	Shared      int
	Args        []any // those of a Launch, with an Address for each Pointer
}

// Address is a place in the device's memory.
type Address uint64

// tensors says how many addresses of its own each tensor of an update has, by the name of the kernel, and how many of them,
// the first, are written. They are the first arguments of the kernel; the others but the last, the number of elements, are
// common to all tensors that one launch can take.
var tensors = map[string]struct{ addresses, written int }{
	"combine":         {3, 1},
	"combine_square":  {3, 1},
	"descend":         {3, 1},
	"nesterov":        {4, 1},
	"adam_step":       {4, 1},
	"momentum_update": {5, 2},
	"adam_update":     {7, 3},
}

// chunk is CHUNK of update_many.cu: the elements of one tensor that a block has.
const chunk = 4096

// most is MOST of update_many.cu: the tensors of one launch.
func most(addresses int) int { return (4096 - 96) / (8*addresses + 12) }

// Mergeable says whether a launch is one that MergeUpdates may make one of with others.
func Mergeable(l *Launch) bool {
	_, ok := tensors[l.Name]
	return ok
}

// MergeUpdates makes of launches that follow each other, with nothing between them, fewer ones that do the same: neighbours
// that are the same update of different tensors become one. It does not change the order of what depends on each other.
func MergeUpdates(launches []Resolved) []Resolved {
	var all []Resolved
	for i := 0; i < len(launches); {
		n := mergeable(launches[i:])
		if n == 1 {
			all = append(all, launches[i])
		} else {
			all = append(all, merged(launches[i:i+n]))
		}
		i += n
	}
	return all
}

// mergeable returns how many of the first launches can be one, at least 1.
func mergeable(launches []Resolved) int {
	first := &launches[0]
	size := elementSize(first)
	t, ok := tensors[first.Name]
	if !ok || size == 0 {
		return 1
	}
	n := 1
	for n < len(launches) && n < most(t.addresses) {
		next := &launches[n]
		if next.Name != first.Name || next.Source != first.Source || !sameRest(first, next, t.addresses) {
			break
		}
		for i := range n {
			if touches(&launches[i], next, size) {
				return n
			}
		}
		n++
	}
	return n
}

// elementSize is the number of bytes of an element of an update, or 0 for other launches.
func elementSize(l *Resolved) uint64 {
	switch l.Source {
	case updateSources[tensor.Float32]:
		return 4
	case updateSources[tensor.Float64]:
		return 8
	}
	return 0
}

// sameRest says whether two launches have the same arguments but for their tensors.
func sameRest(a, b *Resolved, addresses int) bool {
	for i := addresses; i < len(a.Args)-1; i++ {
		if a.Args[i] != b.Args[i] {
			return false
		}
	}
	return true
}

// touches says whether one of two launches writes what the other reads or writes, scalars included: they must then stay in
// order.
func touches(a, b *Resolved, size uint64) bool {
	return writesInto(a, b, size) || writesInto(b, a, size)
}

func writesInto(a, b *Resolved, size uint64) bool {
	t := tensors[a.Name]
	lengthA, lengthB := a.elements()*size, b.elements()*size
	for _, to := range a.Args[:t.written] {
		for i, arg := range b.Args {
			at, ok := arg.(Address)
			if !ok {
				continue
			}
			length := lengthB
			if i >= t.addresses {
				length = 8 // a scalar, of no more bytes than this
			}
			if uint64(to.(Address)) < uint64(at)+length && uint64(at) < uint64(to.(Address))+lengthA {
				return true
			}
		}
	}
	return false
}

func (l *Resolved) elements() uint64 { return uint64(l.Args[len(l.Args)-1].(int64)) }

// merged is one launch for several.
func merged(launches []Resolved) Resolved {
	l := launches[0]
	addresses := tensors[l.Name].addresses
	places := most(addresses)
	var at, n, first []byte
	blocks := 0
	for i := range places {
		for a := range addresses {
			address := Address(0)
			if i < len(launches) {
				address = launches[i].Args[a].(Address)
			}
			at = bin.LittleEndian.AppendUint64(at, uint64(address))
		}
		elements := uint64(0)
		if i < len(launches) {
			elements = launches[i].elements()
		}
		n = bin.LittleEndian.AppendUint64(n, elements)
		first = bin.LittleEndian.AppendUint32(first, uint32(blocks))
		blocks += int((elements + chunk - 1) / chunk)
	}
	table := append(append(at, n...), first...)
	table = bin.LittleEndian.AppendUint32(table, uint32(len(launches)))
	for len(table)%8 != 0 { // as C++ lays a struct out that has u64 in it
		table = append(table, 0)
	}
	args := append([]any{Bytes(table)}, l.Args[addresses:len(l.Args)-1]...)
	return Resolved{Source: l.Source, Name: l.Name + "_many", Grid: Dim3{X: blocks}, Block: Dim3{X: threads}, Args: args}
}
