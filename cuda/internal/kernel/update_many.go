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
	// The last address is of a gradient that lies filters first, in elements of its own type; the last two of a tensor's own arguments are rows
	// and filters, and chunks are tiles of them.
	transposed bool
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

	"momentum_update_transposed": {addresses: 5, written: 2, own: 5, transposed: true},
	"adam_update_transposed":     {addresses: 7, written: 3, own: 5, transposed: true, once: true},
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
	case e.transposed && i == e.addresses-1 && l.Source == transposedSources[true]:
		return l.elements() * 2
	}
	return l.elements() * size
}

func (e each) chunks(l *Resolved) uint64 {
	if e.transposed {
		own := l.Args[e.addresses : e.addresses+e.own]
		return uint64(tiles(own[e.own-2].(int64), own[e.own-1].(int64)))
	}
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

// MergeUpdates makes of launches that follow each other, with nothing between them, fewer ones that do the same: those that are the same
// update of different tensors become one, in the place of the first. It does not change the order of what depends on each other.
func MergeUpdates(launches []Resolved, multiprocessors int) []Resolved {
	var all []Resolved
	for len(launches) > 0 {
		n := 0
		for n < len(launches) && launches[n].update() {
			n++
		}
		if n == 0 { // of what it reads and writes nothing is known
			all, launches = append(all, launches[0]), launches[1:]
			continue
		}
		all, launches = append(all, mergeRun(launches[:n], multiprocessors)...), launches[n:]
	}
	return all
}

// update says whether it is one of updates.
func (l *Resolved) update() bool {
	_, ok := updates[l.Name]
	return ok && elementSize(l.Source) != 0
}

// mergeRun is MergeUpdates of updates alone.
func mergeRun(launches []Resolved, multiprocessors int) []Resolved {
	var all []Resolved
	before, done := conflicts(launches), make([]bool, len(launches))
	for i := range launches {
		if done[i] {
			continue
		}
		group := []int{i}
		for k := i + 1; k < len(launches); k++ {
			if !done[k] && alike(&launches[i], &launches[k]) && !slices.ContainsFunc(before[k], func(b int) bool { return !done[b] }) {
				group = append(group, k)
			}
		}
		same := make([]Resolved, len(group))
		for k, at := range group {
			same[k], done[at] = launches[at], true
		}
		if len(same) > 1 {
			same = []Resolved{merged(same, multiprocessors)}
		}
		all = append(all, same...)
	}
	return all
}

// alike says whether two launches are the same update, of different tensors.
func alike(a, b *Resolved) bool {
	return a.Name == b.Name && a.Source == b.Source && updates[a.Name].sameRest(a, b)
}

// elementSize is the number of bytes of an element of an update, or 0 for other sources.
func elementSize(s Source) uint64 {
	switch s {
	case updateSources[tensor.Float32], transposedSources[false], transposedSources[true]:
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

// conflicts tells for each of some updates those before it with which it must stay in order: one writes what the other reads or writes,
// scalars included.
func conflicts(launches []Resolved) [][]int {
	before := make([][]int, len(launches))
	if len(launches) == 1 {
		return before
	}
	var list []access
	for i := range launches {
		l := &launches[i]
		e, size := updates[l.Name], elementSize(l.Source)
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
				later, earlier := max(a.launch, o.launch), min(a.launch, o.launch)
				if !slices.Contains(before[later], earlier) {
					before[later] = append(before[later], earlier)
				}
			}
		}
		open = append(open, a)
	}
	return before
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
	case int64:
		return uint64(a)
	}
	panic("cuda: an argument that is in no list") // a mistake of ours: the kernels are those of updates
}
