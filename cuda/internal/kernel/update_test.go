package kernel

import (
	bin "encoding/binary"
	"fmt"
	"reflect"
	"regexp"
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

func names(list []Resolved) string {
	var all []string
	for _, l := range list {
		all = append(all, l.Name)
	}
	return strings.Join(all, " ")
}

func TestMergeUpdates(t *testing.T) {
	f32 := tensor.Float32
	a, b, c := momentumOf(t, f32, 5000, 1<<20, 0.9), momentumOf(t, f32, 64, 2<<20, 0.9), momentumOf(t, f32, 4096, 3<<20, 0.9)
	require.Equal(t, "momentum_update_many", names(MergeUpdates([]Resolved{a, b, c})))
	require.True(t, reflect.DeepEqual([]Resolved{a}, MergeUpdates([]Resolved{a})))
	require.Empty(t, MergeUpdates(nil))
	for why, other := range map[string]Resolved{
		"another momentum":                 momentumOf(t, f32, 64, 2<<20, 0.8),
		"another type":                     momentumOf(t, tensor.Float64, 64, 2<<20, 0.9),
		"another kernel":                   adamOf(t, 64, 2<<20),
		"it reads what a has written":      momentumOf(t, f32, 64, 1<<20-4*2*64, 0.9),
		"it writes what a reads":           momentumOf(t, f32, 64, 1<<20+4*2*5000, 0.9),
		"a kernel that is none of updates": {Name: "add", Args: []any{int64(4)}},
	} {
		got := MergeUpdates([]Resolved{a, other})
		require.True(t, reflect.DeepEqual([]Resolved{a, other}, got), "%s: %s", why, names(got))
	}
	// A neighbour that begins where the other ends is no obstacle.
	next := momentumOf(t, f32, 64, 1<<20+3*4*5000, 0.9)
	require.Equal(t, "momentum_update_many", names(MergeUpdates([]Resolved{a, next})))
	// One that writes the learning rate is.
	rate := momentumOf(t, f32, 64, 1<<40, 0.9)
	require.Equal(t, "momentum_update momentum_update", names(MergeUpdates([]Resolved{b, rate})))
}

func TestMergedTables(t *testing.T) {
	for kind, of := range map[string]func(n int, from Address) Resolved{
		"momentum_update": func(n int, from Address) Resolved { return momentumOf(t, tensor.Float32, n, from, 0.9) },
		"adam_update":     func(n int, from Address) Resolved { return adamOf(t, n, from) },
	} {
		var single []Resolved
		for i := range 200 {
			single = append(single, of([]int{1, chunk - 1, chunk, chunk + 1, 3*chunk + 7}[i%5], Address(i+1)<<20))
		}
		list, at := MergeUpdates(single), 0
		places, addresses := most(tensors[kind].addresses), tensors[kind].addresses
		require.Equal(t, (200+places-1)/places, len(list))
		for _, l := range list {
			table := l.Args[0].(Bytes)
			require.Equal(t, single[0].Args[addresses:len(single[0].Args)-1], l.Args[1:])
			require.LessOrEqual(t, len(table)+8*(len(l.Args)-1), 4096)
			u64 := func(i int) uint64 { return bin.LittleEndian.Uint64(table[8*i:]) }
			u32 := func(i int) int { return int(bin.LittleEndian.Uint32(table[8*places*(addresses+1)+4*i:])) }
			count := u32(places)
			first := 0
			for k := range count { // as the kernel finds its tensor and chunk
				require.Equal(t, first, u32(k))
				n := u64(places*addresses + k)
				require.Equal(t, single[at].elements(), n)
				for a := range addresses {
					require.Equal(t, single[at].Args[a], Address(u64(k*addresses+a)))
				}
				first += int(n+chunk-1) / chunk
				at++
			}
			require.Equal(t, first, l.Grid.X)
		}
		require.Equal(t, 200, at)
	}
}

// The numbers that the text and the tables agree on, and the tensors' parameters of both kernels of each kind.
func TestMergedKernelsExist(t *testing.T) {
	text := updateSources[tensor.Float32].Text
	require.Contains(t, text, fmt.Sprintf("#define CHUNK %d\n", chunk))
	require.Contains(t, text, "#define MOST(addresses) ((4096 - 96) / (8 * (addresses) + 12))\n")
	for name, k := range tensors {
		many := regexp.MustCompile(`KERNEL ` + name + `_many\(const Tensors<(\d)> s, ([^)]*)\)`).FindStringSubmatch(text)
		require.NotNil(t, many, name)
		require.Equal(t, fmt.Sprint(k.addresses), many[1], name)
		single := regexp.MustCompile(`KERNEL ` + name + `\(([^)]*), i64 n\)`).FindStringSubmatch(strings.ReplaceAll(text, "\n                   ", " "))
		require.NotNil(t, single, name)
		params := strings.Split(single[1], ", ")
		require.Equal(t, many[2], strings.Join(params[k.addresses:], ", "), name)
		for i, p := range params[:k.addresses] {
			require.Equal(t, i < k.written, strings.HasPrefix(p, "T *"), "%s: %s", name, p)
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
