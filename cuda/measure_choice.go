//go:build gpu && cgo && linux

package cuda

import (
	"encoding/json"
	"errors"
	"slices"

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
	at      map[*graph.Value]driver.Ptr // where its operands and results are
}

// run puts the way on the stream.
func (a *attempt) run() error {
	for _, x := range a.actions {
		if err := x.run(a.maker.program); err != nil {
			return err
		}
	}
	return nil
}

// measureChoice finds the fastest way of a Choice. It returns none if fewer than two can be taken, or if there is no memory for one of them:
// what is kept is for processes that may have it. A way that fails, or computes something else than the first, is left out; the error is of
// what spoils the device.
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
	var told account
	for i, w := range j.Ways {
		a := &attempt{maker: &maker{program: &program{engine: t.engine, at: map[*graph.Value][]address{}}, apart: true, step_: j.step,
			packs: m.packs, packed: map[int]packedAt{}, counting: m.counting, plans: map[kernel.Command]*way{}}}
		attempts[i] = a
		list, takes, err := a.maker.choose(w.List, nil)
		if driver.IsLost(err) {
			return nil, err
		}
		if t.engine.stopped() != nil {
			return nil, nil
		}
		if err != nil || !takes {
			told.refused(w.Name, errors.Join(err, a.maker.refused))
			continue
		}
		if first < 0 {
			first = i
		}
		taken++
		a.list = list
		sources = append(sources, sourcesOf(list)...)
	}
	defer func() {
		if err == nil {
			told.tell(t.engine.tuner, j.step)
		}
	}()
	if taken < 2 {
		return nil, nil
	}
	if err := t.engine.compiler.compile(sources, t.engine.stopped); err != nil {
		return nil, err
	}
	var results *kept
	defer func() { err = errors.Join(err, results.close(t)) }()
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
		if err == nil && i == first {
			results, err = t.keep(a)
		}
		switch {
		case driver.IsLost(err):
			return nil, err
		case t.engine.stopped() != nil || t.noMemory(err):
			return nil, nil
		case err != nil:
			told.failed(j.Ways[i].Name, err)
			continue
		}
		told.took(j.Ways[i].Name, a, took)
		if i == first {
			firstTook = took
		}
		if best == nil || took < margin*best.Milliseconds {
			if i != first && results != nil {
				why, err := results.verify(t, a)
				if driver.IsLost(err) {
					return nil, err
				}
				if err != nil || why != "" {
					told.wrong(why, err)
				}
				if why != "" {
					t.engine.say("%q is not taken for %s: %s", j.Ways[i].Name, j.step.Instr, why)
				}
				if t.noMemory(err) {
					return nil, nil
				}
				if err != nil || why != "" {
					continue
				}
			}
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
// and working memory. Filters are packed before: in a program, that is once a run for all passes which read one, whatever ways these follow, often
// beside other steps. So a way is not charged with a filter that none but it reads, or one that is larger than another way's (see convolution.tiny).
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
		if r := v.Root(); r.Len() > 0 && !slices.Contains(values, r) {
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
	t.filled, a.at = false, map[*graph.Value]driver.Ptr{}
	stream := t.engine.stream
	if err := errors.Join(stream.Fill(t.memory, filler, int64(flush-t.memory)), stream.Fill(at[0], 0, m.counting)); err != nil {
		return 0, err
	}
	for i, v := range values {
		write(m.program.at[v], at[3+i])
		a.at[v] = at[3+i]
		if isFloat(v) {
			err = t.launch(kernel.Noise(m.step_, v, kernel.Address(at[3+i]), uint32(i)))
		} else { // it may be an index
			err = stream.Fill(at[3+i], 0, parts[3+i])
		}
		if err != nil {
			return 0, err
		}
	}
	related, err := kernel.Related(m.step_, func(v *graph.Value) kernel.Address { return kernel.Address(a.at[v]) })
	if err != nil {
		return 0, err
	}
	for _, r := range related {
		if err := t.launch(r); err != nil {
			return 0, err
		}
	}
	for i, f := range m.packed {
		p := m.packs[i]
		p.Of = p.Of.Root()
		packed := kernel.PackedAt{Packed: p, Wide: kernel.Address(a.at[p.Of]), At: kernel.Address(at[1] + driver.Ptr(f.at))}
		for _, r := range kernel.PackLaunches([]kernel.PackedAt{packed}) {
			if err := t.launch(r); err != nil {
				return 0, err
			}
		}
	}
	return t.time(a.run, flush, 1+len(a.actions)/4, limit)
}
