package graph

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// plot is what lies in a room during some steps.
type plot struct {
	name       string
	at, end    int
	born, dies int
	beside     bool // working memory of a step beside others
}

// randomPlan is a plan of steps that read earlier results, some of them beside others, and working memory for each.
func randomPlan(rng *rand.Rand) (p *Plan, work []int) {
	p = &Plan{}
	for i := range 1 + rng.IntN(40) {
		v := &Value{ID: i, Shape: tensor.Shape{1 + rng.IntN(1+rng.IntN(4000))}, Dtype: tensor.Float32, Narrow: rng.IntN(3) == 0}
		s := &Step{Out: []*Value{v}}
		for range rng.IntN(3) {
			if i > 0 {
				s.In = append(s.In, p.Values[max(0, i-1-rng.IntN(1+rng.IntN(20)))])
			}
		}
		if rng.IntN(4) == 0 {
			s.Beside = 1 + rng.IntN(5)
		}
		if i > 0 && rng.IntN(10) == 0 { // in place
			v.Alias = p.Values[i-1].Root()
		}
		if rng.IntN(12) == 0 && v.Alias == nil {
			v.Where = External
		}
		v.Where = v.Root().Where
		p.Values, p.Steps = append(p.Values, v), append(p.Steps, s)
		work = append(work, max(0, rng.IntN(20000)-8000))
	}
	p.ArenaBytes = layOut(lifetimes(p.Steps, p.Assigns), new(int))
	return p, work
}

// plots are what must not overlap.
func plots(p *Plan, r *Room, work []int) (all []plot) {
	for _, v := range p.Values {
		if v.Alias != nil || v.Where == External {
			continue
		}
		l := plot{name: v.String(), at: r.Offsets[v.ID], end: r.Offsets[v.ID] + v.StoredBytes(), born: v.ID}
		for i, s := range p.Steps {
			for _, x := range append(s.In, s.Out...) {
				if x.Root() == v {
					l.dies = max(l.dies, min(i+s.Beside, len(p.Steps)-1))
				}
			}
		}
		all = append(all, l)
	}
	for i, bytes := range work {
		if bytes > 0 {
			all = append(all, plot{fmt.Sprintf("work of step %d", i), r.Work[i], r.Work[i] + bytes, i, min(i+p.Steps[i].Beside, len(p.Steps)-1), p.Steps[i].Beside > 0})
		}
	}
	return all
}

// Nothing that lives at the same time overlaps, and there is no more memory than the plan's arena with all working memory behind it takes.
func TestRoom(t *testing.T) {
	for seed := range uint64(300) {
		p, work := randomPlan(rand.New(rand.NewPCG(seed, 3)))
		r := p.Room(work)
		most, longest := 0, 0
		for _, bytes := range work {
			longest = max(longest, (bytes+roomAlign-1)/roomAlign*roomAlign)
		}
		all := plots(p, r, work)
		for i, a := range all {
			require.GreaterOrEqual(t, a.at, 0)
			require.LessOrEqual(t, a.end, r.Bytes)
			for _, b := range all[:i] {
				apart := a.dies < b.born || b.dies < a.born || a.end <= b.at || b.end <= a.at || a.beside && b.beside
				require.True(t, apart, "seed %d: %+v and %+v", seed, a, b)
			}
		}
		for i := range p.Steps {
			live, beside := 0, 0
			for _, a := range all {
				switch {
				case i < a.born || a.dies < i:
				case a.beside:
					beside = max(beside, a.end-a.at)
				default:
					live += a.end - a.at
				}
			}
			most = max(most, live+beside)
		}
		require.Equal(t, r.Least, most)
		require.GreaterOrEqual(t, r.Bytes, r.Least)
		require.LessOrEqual(t, r.Bytes, (p.ArenaBytes+roomAlign-1)/roomAlign*roomAlign+2*longest, "seed %d", seed)
		for _, at := range r.Work {
			require.Zero(t, at%roomAlign)
		}
	}
}

// The working memory of a step lies where no value lives at the time.
func TestRoomInGaps(t *testing.T) {
	value := func(id, n int) *Value { return &Value{ID: id, Shape: tensor.Shape{n}, Dtype: tensor.Float32} }
	a, b, c := value(0, 1024), value(1, 4096), value(2, 16)
	p := &Plan{Values: []*Value{a, b, c}, Steps: []*Step{{Out: []*Value{a}}, {In: []*Value{a}, Out: []*Value{b}}, {In: []*Value{b}, Out: []*Value{c}}}}
	p.ArenaBytes = layOut(lifetimes(p.Steps, nil), new(int))
	require.Equal(t, 4*(1024+4096), p.ArenaBytes)
	r := p.Room([]int{16384, 0, 2048})
	require.Equal(t, p.ArenaBytes, r.Bytes, "b is not there in the first step, and a not in the last")
	require.Equal(t, r.Least, r.Bytes)
	require.Equal(t, 4*(1024+4096)+4096, p.Room([]int{0, 4096, 0}).Bytes, "both are there")
	require.Zero(t, (&Plan{}).Room(nil).Bytes)
}

// Working memory of steps beside others overlaps that of each other alone.
func TestRoomBeside(t *testing.T) {
	p := &Plan{Steps: []*Step{{Beside: 2}, {Beside: 2}, {}}}
	for i, s := range p.Steps {
		v := &Value{ID: i, Shape: tensor.Shape{64}, Dtype: tensor.Float32}
		s.Out, p.Values = []*Value{v}, append(p.Values, v)
	}
	p.ArenaBytes = layOut(lifetimes(p.Steps, nil), new(int))
	r := p.Room([]int{1024, 1024, 1024})
	require.Equal(t, r.Work[0], r.Work[1])
	require.Equal(t, 2*1024+3*256, r.Bytes)
}
