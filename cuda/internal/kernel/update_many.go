package kernel

import (
	"cmp"
	bin "encoding/binary"
	"math"
	"slices"

	"gorgonia.org/tensor"
)

// Resolved is a launch whose pointers are addresses of the device's memory.
type Resolved struct {
	Source      Source
	Name        string
	Grid, Block Dim3
	Shared      int
	Args        []any // those of a Launch, with an Address for each Pointer; a List is to be put into memory
}

// Address is a place in the device's memory.
type Address uint64

// List is an argument that is a pointer to these bytes, in memory of the device that nothing writes.
type List []byte

// each says what the arguments of a kernel are that does the same to many tensors as well: first the addresses of a tensor's
// elements, of which some, the first, are written; then what besides only this tensor has; behind them what all tensors of a launch
// have in common, and last the number of elements. A block takes chunk of these at a time.
type each struct {
	addresses, written, own int
	chunk                   int
	parts                   bool // what is written is a number for each chunk
	once                    bool // there is something that a block does once
}

var updates = map[string]each{
	"combine":         {addresses: 3, written: 1, own: 2, chunk: chunk},
	"combine_square":  {addresses: 3, written: 1, own: 2, chunk: chunk},
	"descend":         {addresses: 3, written: 1, own: 1, chunk: chunk},
	"nesterov":        {addresses: 4, written: 1, chunk: chunk},
	"adam_step":       {addresses: 4, written: 1, chunk: chunk, once: true},
	"momentum_update": {addresses: 5, written: 2, own: 3, chunk: chunk},
	"adam_update":     {addresses: 7, written: 3, own: 3, chunk: chunk, once: true},
	"add_l2_grad":     {addresses: 3, written: 1, own: 2, chunk: chunk},
	"l2_parts":        {addresses: 2, written: 1, chunk: part, parts: true},
}

// chunk is CHUNK of update.cu.
const chunk = 2048

// words are those of a tensor in a list.
func (e each) words() int { return e.addresses + e.own + 1 }

// bytes is the length of the memory at argument i of a launch, whose elements have so many bytes.
func (e each) bytes(l *Resolved, i int, size uint64) uint64 {
	switch {
	case i >= e.addresses:
		return 8 // a scalar, of no more than this
	case e.parts && i < e.written:
		return e.chunks(l) * size
	}
	return l.elements() * size
}

func (e each) chunks(l *Resolved) uint64 {
	return (l.elements() + uint64(e.chunk) - 1) / uint64(e.chunk)
}

// Gathers says whether an update of a parameter of so many bytes had better wait for others, to be one launch with them: of up to
// 16 MiB, beyond which a launch is nothing beside its work and the gradient is much to keep; of up to 1 MiB where memory is scarce.
func Gathers(bytes int, scarce bool) bool {
	if scarce {
		return bytes <= 1<<20
	}
	return bytes <= 16<<20
}

// Mergeable says whether a launch is one that MergeUpdates may make one of with others.
func Mergeable(l *Launch) bool {
	_, ok := updates[l.Name]
	return ok && elementSize(l.Source) != 0
}

// MergeUpdates makes of launches that follow each other, with nothing between them, fewer ones that do the same: neighbours
// that are the same update of different tensors become one. It does not change the order of what depends on each other.
func MergeUpdates(launches []Resolved, multiprocessors int) []Resolved {
	var all []Resolved
	for len(launches) > 0 {
		run := alike(launches)
		after := conflicts(launches[:run])
		for i := 0; i < run; {
			n := 1
			for i+n < run && after[i+n] < i {
				n++
			}
			if n == 1 {
				all = append(all, launches[i])
			} else {
				all = append(all, merged(launches[i:i+n], multiprocessors))
			}
			i += n
		}
		launches = launches[run:]
	}
	return all
}

// alike returns how many of the first launches are the same update, at least 1.
func alike(launches []Resolved) int {
	first := &launches[0]
	e, ok := updates[first.Name]
	if !ok || elementSize(first.Source) == 0 {
		return 1
	}
	n := 1
	for n < len(launches) {
		next := &launches[n]
		if next.Name != first.Name || next.Source != first.Source || !e.sameRest(first, next) {
			break
		}
		n++
	}
	return n
}

// elementSize is the number of bytes of an element of an update, or 0 for other sources.
func elementSize(s Source) uint64 {
	switch s {
	case updateSources[tensor.Float32]:
		return 4
	case updateSources[tensor.Float64]:
		return 8
	}
	return 0
}

// sameRest says whether two launches have the same arguments but for their tensors.
func (e each) sameRest(a, b *Resolved) bool {
	for i := e.addresses + e.own; i < len(a.Args)-1; i++ {
		if a.Args[i] != b.Args[i] {
			return false
		}
	}
	return true
}

// access is a stretch of memory that a launch reads or writes.
type access struct {
	from, to uint64
	launch   int
	writes   bool
}

// conflicts tells for each of some launches of one kernel the latest one before it with which it must stay in order, -1 where there
// is none: one writes what the other reads or writes, scalars included.
func conflicts(launches []Resolved) []int {
	after := make([]int, len(launches))
	if len(launches) == 1 {
		after[0] = -1
		return after
	}
	e, size := updates[launches[0].Name], elementSize(launches[0].Source)
	var list []access
	for i := range launches {
		l := &launches[i]
		after[i] = -1
		for k, arg := range l.Args {
			if at, ok := arg.(Address); ok {
				if n := e.bytes(l, k, size); n > 0 {
					list = append(list, access{uint64(at), uint64(at) + n, i, k < e.written})
				}
			}
		}
	}
	slices.SortFunc(list, func(a, b access) int { return cmp.Compare(a.from, b.from) })
	var open []access // that reach further than where the walk is
	for _, a := range list {
		open = slices.DeleteFunc(open, func(o access) bool { return o.to <= a.from })
		for _, o := range open {
			if (a.writes || o.writes) && a.launch != o.launch {
				later := max(a.launch, o.launch)
				after[later] = max(after[later], min(a.launch, o.launch))
			}
		}
		open = append(open, a)
	}
	return after
}

func (l *Resolved) elements() uint64 { return uint64(l.Args[len(l.Args)-1].(int64)) }

// merged is one launch for several.
func merged(launches []Resolved, multiprocessors int) Resolved {
	l := launches[0]
	e := updates[l.Name]
	var tensors, chunks List
	for k := range launches {
		args := launches[k].Args
		for _, a := range args[:e.addresses+e.own] {
			tensors = bin.LittleEndian.AppendUint64(tensors, word(a))
		}
		tensors = bin.LittleEndian.AppendUint64(tensors, launches[k].elements())
		for c := range e.chunks(&launches[k]) {
			chunks = bin.LittleEndian.AppendUint64(chunks, uint64(k)|c<<32)
		}
	}
	count := len(chunks) / 8
	args := append([]any{append(tensors, chunks...), int64(len(launches)), int64(count)}, l.Args[e.addresses+e.own:len(l.Args)-1]...)
	return Resolved{Source: l.Source, Name: l.Name + "_many", Grid: Dim3{X: e.blocks(count, multiprocessors)}, Block: Dim3{X: threads}, Args: args}
}

// word is an argument in a list.
func word(a any) uint64 {
	switch a := a.(type) {
	case Address:
		return uint64(a)
	case float32:
		return uint64(math.Float32bits(a))
	case float64:
		return math.Float64bits(a)
	}
	panic("cuda: an argument that is in no list") // a mistake of ours: the kernels are those of updates
}
