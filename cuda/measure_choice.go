//go:build gpu && cgo && linux

package cuda

import (
	"encoding/json"
	"errors"
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
)

// choiceJob is a Choice that is to be measured, and its step.
type choiceJob struct {
	*kernel.Choice
	step         *graph.Step
	key, problem string
}

// choicesToMeasure lists the Choices between at least two ways that were not measured yet.
func (t *tuner) choicesToMeasure(m *maker, all []commands) (jobs []choiceJob) {
	listed := map[string]bool{}
	for _, c := range all {
		for _, command := range c.list {
			of, ok := command.(*kernel.Choice)
			if !ok {
				continue
			}
			possible := 0
			for _, w := range of.Ways {
				if t.possible(w.List) {
					possible++
				}
			}
			key, problem := t.keyOf(of, c.step, m.packs)
			if possible < 2 || listed[key] || t.vain[key] || t.find(key) != nil {
				continue
			}
			listed[key] = true
			jobs = append(jobs, choiceJob{of, c.step, key, problem})
		}
	}
	return jobs
}

// possible says whether the libraries are there that a way cannot do without.
func (t *tuner) possible(list []kernel.Command) bool {
	for _, c := range list {
		switch c.(type) {
		case *kernel.Gemm, *kernel.Convolution:
			call := t.engine.libs.call(c)
			if call == nil {
				return false
			}
			if _, err := call.problem(); err != nil {
				return false
			}
		}
	}
	return true
}

// attempt is a way of a Choice made ready to run by itself, each call of a library by what was measured.
type attempt struct {
	maker   *maker
	list    []kernel.Command
	actions []action
}

// measureChoice finds the fastest way of a Choice. It returns none if fewer than two can be taken, or if there is no memory. A way that
// fails is left out; the error is of what spoils the device.
func (t *trial) measureChoice(m *maker, j choiceJob) (best *choice, err error) {
	attempts := make([]*attempt, len(j.Ways)) // nil: of a way that is not taken
	defer func() {
		for _, a := range attempts {
			if a != nil {
				err = errors.Join(err, a.close())
			}
		}
	}()
	var sources []kernel.Source
	first, taken := -1, 0
	for i, w := range j.Ways {
		a := &attempt{maker: &maker{program: &program{engine: t.engine, at: map[*graph.Value][]address{}}, apart: true, step_: j.step,
			packs: m.packs, packed: map[int]int64{}, counting: m.counting, plans: map[kernel.Command]*way{}}}
		attempts[i] = a
		list, takes, err := a.maker.choose(w.List, nil)
		if driver.IsLost(err) {
			return nil, err
		}
		if err != nil || !takes {
			continue
		}
		if first < 0 {
			first = i
		}
		taken++
		a.list = list
		sources = append(sources, sourcesOf(list)...)
	}
	if taken < 2 {
		return nil, nil
	}
	if err := t.engine.compiler.compile(sources); err != nil {
		return nil, err
	}
	firstTook := 0.0
	for i, a := range attempts {
		if a.list == nil {
			continue
		}
		limit := 0.0
		if best != nil {
			limit = best.Milliseconds
		}
		took, err := t.timeWay(a, limit)
		switch {
		case driver.IsLost(err):
			return nil, err
		case i == first && t.noMemory(err):
			return nil, nil
		case err != nil:
			continue
		}
		if i == first {
			firstTook = took
		}
		if best == nil || took < margin*best.Milliseconds {
			text, err := json.Marshal(named{j.Ways[i].Name})
			if err != nil {
				return nil, err
			}
			best = &choice{Choice: text, Milliseconds: took, Proposed: i == first}
		}
	}
	if best != nil {
		best.Of, best.First = taken, firstTook
	}
	return best, nil
}

// close frees what was made to run a way.
func (a *attempt) close() error {
	var errs []error
	for _, f := range a.maker.program.close {
		errs = append(errs, f())
	}
	return driver.Join(errs...)
}

// timeWay times a way, see time. It lays what the commands point to in the trial's memory: operands and results, packed filters, counters
// and working memory.
func (t *trial) timeWay(a *attempt, limit float64) (float64, error) {
	m := a.maker
	for _, c := range a.list {
		made, err := m.command(c)
		if err != nil {
			return 0, err
		}
		a.actions = append(a.actions, made...)
	}
	if len(m.program.before) > 0 {
		return 0, errors.New("cuda: a way with an argument that changes between runs cannot be measured by itself")
	}
	parts := []int64{m.counting, m.packing, m.need}
	var values []*graph.Value // which have memory of their own
	for _, v := range append(m.step_.In[:len(m.step_.In):len(m.step_.In)], m.step_.Out...) {
		if r := v.Root(); len(m.program.at[r]) > 0 && !slices.Contains(values, r) {
			values = append(values, r)
			parts = append(parts, int64(r.StoredBytes()))
		}
	}
	at, flush, err := t.room(parts...)
	if err != nil {
		return 0, err
	}
	write := func(list []address, base driver.Ptr) {
		for _, x := range list {
			*x.to = uint64(base) + uint64(x.offset)
		}
	}
	write(m.counts, at[0])
	write(m.filters, at[1])
	write(m.work, at[2])
	t.filled = false
	stream := t.engine.stream
	errs := []error{stream.Fill(t.memory, filler, int64(flush-t.memory)), stream.Fill(at[0], 0, m.counting)}
	for i, v := range values {
		write(m.program.at[v], at[3+i])
		if v.Dtype != tensor.Float32 && v.Dtype != tensor.Float64 { // what may be an index
			errs = append(errs, stream.Fill(at[3+i], 0, parts[3+i]))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	return t.time(func() error {
		for _, x := range a.actions {
			if err := x.run(m.program); err != nil {
				return err
			}
		}
		return nil
	}, flush, 1+len(a.actions)/4, limit)
}
