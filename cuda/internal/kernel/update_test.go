package kernel

import (
	bin "encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// resolved puts a step's memory one after the other, from an address on, with the scalars at an address of their own.
func resolved(t *testing.T, s *graph.Step, from, scalars Address) Resolved {
	commands := commandsOf(t, builderFor(FP32), s)
	l := commands[len(commands)-1].(*Launch)
	r := Resolved{Source: l.Source, Name: l.Name, Grid: l.Grid, Block: l.Block, Shared: l.Shared}
	for _, a := range l.Args {
		if p, ok := a.(Pointer); ok {
			at, v := scalars+Address(8*p.Index), &graph.Value{}
			if p.Base == OutBase {
				v = s.Out[p.Index] // in place
				at = from + Address(p.Index*v.Bytes())
			} else if v = s.In[p.Index]; len(v.Shape) > 0 {
				at = from + Address(p.Index*v.Bytes())
			}
			a = at
		}
		r.Args = append(r.Args, a)
	}
	return r
}

// momentumOf updates n numbers in place.
func momentumOf(t *testing.T, dt tensor.Dtype, n int, from Address, momentum float64) Resolved {
	s := &graph.Step{Instr: &graph.MomentumUpdate{Momentum: momentum, WeightDecay: 5e-4},
		In:  []*graph.Value{valueOf(dt, n), valueOf(dt, n), valueOf(dt, n), valueOf(dt)},
		Out: []*graph.Value{valueOf(dt, n), valueOf(dt, n)}}
	return resolved(t, s, from, 1<<40)
}

func adamOf(t *testing.T, n int, from Address) Resolved {
	dt := tensor.Float32
	s := &graph.Step{Instr: &graph.AdamUpdate{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}}
	for range 4 {
		s.In = append(s.In, valueOf(dt, n))
	}
	s.In = append(s.In, valueOf(dt), valueOf(tensor.Int))
	s.Out = s.In[:3]
	return resolved(t, s, from, 1<<40)
}

// transposedOf updates the filters of a convolution in place, by a gradient that lies filters first.
func transposedOf(t *testing.T, i graph.Instr, rows, filters int, from Address, narrow bool) Resolved {
	dt := tensor.Float32
	s := &graph.Step{Instr: i}
	for range gradientOf(i) + 1 {
		s.In = append(s.In, valueOf(dt, rows, filters))
	}
	g := s.In[len(s.In)-1]
	g.Transposed, g.Narrow = true, narrow
	s.Out = s.In[:len(s.In)-1]
	s.In = append(s.In, valueOf(dt))
	if _, ok := i.(*graph.AdamUpdate); ok {
		s.In = append(s.In, valueOf(tensor.Int))
	}
	return resolved(t, s, from, 1<<40)
}

func names(list []Resolved) string {
	var all []string
	for _, l := range list {
		all = append(all, l.Name)
	}
	return strings.Join(all, " ")
}

// merge merges for a device of 132 multiprocessors.
func merge(list ...Resolved) []Resolved { return MergeUpdates(list, 132) }

func TestMergeUpdates(t *testing.T) {
	f32 := tensor.Float32
	a, b, c := momentumOf(t, f32, 5000, 1<<20, 0.9), momentumOf(t, f32, 64, 2<<20, 0.9), momentumOf(t, f32, 4096, 3<<20, 0.9)
	require.Equal(t, "momentum_update_many", names(merge(a, b, c)))
	require.True(t, reflect.DeepEqual([]Resolved{a}, merge(a)))
	require.Empty(t, merge())
	for why, other := range map[string]Resolved{
		"another momentum":                 momentumOf(t, f32, 64, 2<<20, 0.8),
		"another type":                     momentumOf(t, tensor.Float64, 64, 2<<20, 0.9),
		"another kernel":                   adamOf(t, 64, 2<<20),
		"it reads what a has written":      momentumOf(t, f32, 64, 1<<20-4*2*64, 0.9),
		"it writes what a reads":           momentumOf(t, f32, 64, 1<<20+4*2*5000, 0.9),
		"a kernel that is none of updates": {Name: "add", Args: []any{int64(4)}},
		"a name that only seems known":     {Name: "momentum_update", Args: a.Args},
	} {
		got := merge(a, other)
		require.True(t, reflect.DeepEqual([]Resolved{a, other}, got), "%s: %s", why, names(got))
	}
	// A neighbour that begins where the other ends is no obstacle.
	next := momentumOf(t, f32, 64, 1<<20+3*4*5000, 0.9)
	require.Equal(t, "momentum_update_many", names(merge(a, next)))
	// One that writes the learning rate is, wherever it stands.
	rate := momentumOf(t, f32, 64, 1<<40, 0.9)
	require.Equal(t, "momentum_update momentum_update", names(merge(b, rate)))
	require.Equal(t, "momentum_update_many momentum_update momentum_update", names(merge(a, b, rate, c)), "c reads the new one")
	// What must follow the first of three does, and what need not goes with the first.
	after := momentumOf(t, f32, 64, 1<<20+4*2*5000, 0.9)
	require.Equal(t, "momentum_update_many momentum_update", names(merge(a, b, after, c)))
	// Two kinds that alternate are one launch each, but for what reads what one of the other kind writes, and what must follow that.
	d, e := adamOf(t, 64, 4<<20), adamOf(t, 64, 5<<20)
	require.Equal(t, "momentum_update_many adam_update_many", names(merge(a, d, b, e, c)))
	reads := adamOf(t, 64, 2<<20) // what b writes
	require.Equal(t, "momentum_update_many adam_update", names(merge(a, b, reads)))
	require.Equal(t, "adam_update_many momentum_update_many", names(merge(d, a, reads, b)), "b overwrites what it reads")
	require.Equal(t, "momentum_update_many adam_update_many momentum_update", names(merge(a, b, d, reads, b.at(2<<20))))
	require.Equal(t, "momentum_update add momentum_update", names(merge(a, Resolved{Name: "add", Args: []any{int64(4)}}, b)), "nothing goes past it")
	// What differs from tensor to tensor is no obstacle: decay, the penalty's factor.
	other := a.at(4 << 20)
	other.Args[6], other.Args[7] = float32(0.25), float32(0)
	require.Equal(t, "momentum_update_many", names(merge(a, other)))
	// Neither are tensors without elements, wherever they are.
	empty := a.at(1 << 20)
	empty.Args[len(empty.Args)-1] = int64(0)
	require.Equal(t, "momentum_update_many", names(merge(a, empty, b)))
}

// at is the launch with its tensors at another address.
func (l Resolved) at(from Address) Resolved {
	first := l.Args[0].(Address)
	l.Args = slices.Clone(l.Args)
	for i := range updates[l.Name].addresses {
		l.Args[i] = l.Args[i].(Address) - first + from
	}
	return l
}

// conflicts finds what comparing every two launches finds.
func TestConflicts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var list []Resolved
		for range 1 + r.IntN(12) {
			l := momentumOf(t, tensor.Float32, 1, 0, 0.9)
			switch r.IntN(3) {
			case 0:
				l = transposedOf(t, &graph.MomentumUpdate{}, 1, 1, 0, false)
			case 1:
				l = transposedOf(t, &graph.MomentumUpdate{}, 1, 1, 0, true)
			}
			l.Args[len(l.Args)-1] = int64(r.IntN(40))
			for i := range 5 {
				l.Args[i] = Address(1000 + 4*r.IntN(400))
			}
			if r.IntN(3) > 0 { // in place
				l.Args[2], l.Args[3] = l.Args[0], l.Args[1]
			}
			l.Args[5], l.Args[updates[l.Name].addresses+updates[l.Name].own] = Address(1200), Address(1<<40)
			list = append(list, l)
		}
		want := make([][]int, len(list))
		bytes := func(i, k int) uint64 {
			if strings.HasSuffix(list[i].Name, "_transposed") && k == 4 && strings.Contains(list[i].Source.Name, "bf16") {
				return 2 * list[i].elements()
			}
			return updates[list[i].Name].bytes(&list[i], k, 4)
		}
		for j := range list {
			for i := range j {
				meet := false
				for k, x := range list[i].Args {
					for m, y := range list[j].Args {
						p, ok1 := x.(Address)
						q, ok2 := y.(Address)
						meet = meet || ok1 && ok2 && (k < 2 || m < 2) && bytes(i, k) > 0 && bytes(j, m) > 0 &&
							uint64(p) < uint64(q)+bytes(j, m) && uint64(q) < uint64(p)+bytes(i, k)
					}
				}
				if meet {
					want[j] = append(want[j], i)
				}
			}
		}
		got := conflicts(list)
		for _, before := range got {
			slices.Sort(before)
		}
		require.Equal(t, want, got)
	}
}

func TestMergedTables(t *testing.T) {
	transposed := func(i graph.Instr, narrow bool) func(n int, from Address) Resolved {
		return func(n int, from Address) Resolved {
			return transposedOf(t, i, []int{1, 63, 64, 65}[n%4], 1+n%70, from, narrow)
		}
	}
	for kind, of := range map[string]func(n int, from Address) Resolved{
		"momentum_update_transposed": transposed(&graph.MomentumUpdate{Momentum: 0.9}, true),
		"adam_update_transposed":     transposed(&graph.AdamUpdate{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}, false),

		"momentum_update": func(n int, from Address) Resolved { return momentumOf(t, tensor.Float32, n, from, 0.9) },
		"adam_update":     func(n int, from Address) Resolved { return adamOf(t, n, from) },
	} {
		var single []Resolved
		for i := range 200 {
			single = append(single, of([]int{1, chunk - 1, chunk, chunk + 1, 3*chunk + 7}[i%5], Address(i+1)<<20))
		}
		list, e := merge(single...), updates[kind]
		require.Len(t, list, 1)
		l := list[0]
		require.Equal(t, single[0].Args[e.addresses+e.own:len(single[0].Args)-1], l.Args[3:])
		table := l.Args[0].(List)
		word := func(i int) uint64 { return bin.LittleEndian.Uint64(table[8*i:]) }
		require.EqualValues(t, 200, l.Args[1])
		chunks := int(l.Args[2].(int64))
		require.Len(t, table, 8*(200*e.words()+chunks))
		require.Equal(t, min(chunks, 8*132), l.Grid.X)
		done := make([]int, 200)
		for c := range chunks { // as the kernel finds its tensor and chunk
			which := word(200*e.words() + c)
			k := int(which & 0xffffffff)
			require.EqualValues(t, done[k], which>>32)
			done[k]++
		}
		for k, s := range single {
			at := k * e.words()
			for a := range e.addresses {
				require.Equal(t, s.Args[a], Address(word(at+a)))
			}
			for o := range e.own {
				switch x := s.Args[e.addresses+o].(type) {
				case Address:
					require.EqualValues(t, x, word(at+e.addresses+o))
				case float32:
					require.EqualValues(t, math.Float32bits(x), word(at+e.addresses+o))
				case int64:
					require.EqualValues(t, x, word(at+e.addresses+o))
				}
			}
			require.Equal(t, s.elements(), word(at+e.words()-1))
			want := (s.elements() + chunk - 1) / chunk
			if e.transposed { // tiles of 64 rows and 32 filters
				rows, filters := word(at+e.addresses+3), word(at+e.addresses+4)
				require.Equal(t, s.elements(), rows*filters)
				want = (rows + 63) / 64 * ((filters + 31) / 32)
			}
			require.EqualValues(t, done[k], want)
			require.Equal(t, s.Grid.X, int(want))
		}
	}
}

// The numbers that the text and the tables agree on, and the tensors' parameters of both kernels of each kind.
func TestMergedKernelsExist(t *testing.T) {
	text, transposed := updateSources[tensor.Float32].Text, transposedSources[true].Text
	for name, value := range map[string]int{"CHUNK": chunk, "PART": part, "PENALTIES": graph.MostPenalties} {
		require.Contains(t, text, fmt.Sprintf("#define %s %d\n", name, value))
	}
	for name, value := range map[string]int{"ROWS": tileOfRows, "COLUMNS": tileOfFilters, "BLOCK": threads} {
		require.Regexp(t, fmt.Sprintf(`#define %s %d\b`, name, value), transposed)
	}
	for name, e := range updates {
		flat := text
		if e.transposed {
			flat = transposed
		}
		flat = regexp.MustCompile(`,\s+`).ReplaceAllString(strings.ReplaceAll(flat, "__launch_bounds__(BLOCK, ", "("), ", ")
		flat = regexp.MustCompile(`KERNEL \(\d\) `).ReplaceAllString(flat, "KERNEL ")
		many := regexp.MustCompile(`KERNEL ` + name + `_many\(const u64 \*table, i64 tensors, i64 chunks([^)]*)\)`).FindStringSubmatch(flat)
		require.NotNil(t, many, name)
		single := regexp.MustCompile(`KERNEL ` + name + `\(([^)]*), i64 n\)`).FindStringSubmatch(flat)
		require.NotNil(t, single, name)
		params := strings.Split(single[1], ", ")
		require.Equal(t, many[1], strings.Join(append([]string{""}, params[e.addresses+e.own:]...), ", "), name)
		for i, p := range params[:e.addresses] {
			require.Equal(t, i < e.written, strings.HasPrefix(p, "T *"), "%s: %s", name, p)
		}
	}
}

func TestStepNumbersBelowOne(t *testing.T) {
	s := &graph.Step{Instr: &op.AdamStep{Beta1: 0.9, Beta2: 0.999}, Out: []*graph.Value{valueOf(tensor.Float32, 3)}}
	for range 3 {
		s.In = append(s.In, valueOf(tensor.Float32, 3))
	}
	s.In = append(s.In, valueOf(tensor.Float32), valueOf(tensor.Int))
	check := commandsOf(t, builderFor(FP32), s)[0].(*Check)
	require.Equal(t, 4, check.In)
	require.NoError(t, check.Fn(op.Array{Data: []int{1}}))
	require.EqualError(t, check.Fn(op.Array{Data: []int{0}}), "step number is 0, want at least 1; count the step before the update")
}
