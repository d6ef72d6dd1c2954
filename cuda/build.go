//go:build gpu && cgo && linux

package cuda

import (
	"errors"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
)

// Build decides what every step asks of the device, compiles the kernels, and finds memory.
func (e *Engine) Build(p *graph.Plan) (graph.Program, error) {
	if e.isClosed() {
		return nil, errClosed
	}
	prog := &program{engine: e, plan: p, at: map[*graph.Value][]address{}, bound: map[*graph.Value]*memory{}, unmet: map[*graph.Value]bool{},
		sync: waitsForSteps()}
	prog.runs = func() error { return prog.run(nil, false) }
	prog.follows = func() error { return prog.run(nil, true) }
	err := e.dev.Do(func() error {
		e.programs[prog] = true
		return prog.build()
	})
	if err != nil {
		return nil, errors.Join(err, prog.Close())
	}
	return newHandle(prog), nil
}

// commands are what a step asks of the device. host says that it asks nothing and runs on the host.
type commands struct {
	step     *graph.Step
	list     []kernel.Command
	host     bool
	measured bool // one of several ways that was measured
}

func (p *program) build() (err error) {
	for _, v := range p.plan.Values {
		r := v.Root()
		if r.Where != graph.External || p.unmet[r] {
			continue
		}
		p.unmet[r] = true
		if !r.Input && r.Const == nil {
			p.outputs = append(p.outputs, r)
		}
	}
	m := &maker{program: p, plans: map[kernel.Command]*way{}, packed: map[int]packedAt{}}
	decided, err := m.decide()
	if err != nil {
		return err
	}
	var sources []kernel.Source
	for _, c := range decided {
		sources = append(sources, sourcesOf(c.list)...)
	}
	if err := p.engine.compiler.compile(sources, p.engine.stopped); err != nil {
		return err
	}
	for i := range p.done {
		if p.done[i], err = driver.NewEvent(); err != nil {
			return err
		}
		p.close = append(p.close, p.done[i].Close)
	}
	for i, s := range p.plan.Steps {
		made, err := m.step(s, decided[i])
		if err != nil {
			return &graph.StepError{Step: i, Op: s.Instr.String(), Node: s.Out[0].Name, Err: err}
		}
		p.steps = append(p.steps, made)
	}
	if err := m.makeRoom(); err != nil {
		return err
	}
	m.makeFilters()
	if err := m.makeCounters(); err != nil {
		return err
	}
	for _, a := range p.plan.Assigns {
		if a.New.Root() != a.Target {
			p.copies = append(p.copies, a)
		}
	}
	p.capture.off = !p.mayCapture()
	return nil
}

// purpose says what a program is for: training, which updates weights, or inference.
func (p *program) purpose() string {
	if len(p.plan.Assigns) > 0 {
		return "training"
	}
	return "inference"
}

// builder asks package kernel on behalf of the engine.
func (e *Engine) builder() *kernel.Builder {
	return &kernel.Builder{Multiprocessors: e.dev.Multiprocessors, Capability: 10*e.dev.Major + e.dev.Minor, Precision: e.precision, Gather: gather,
		Share: shareBytes, AnyOrder: anyOrder || e.config.Nondeterministic}
}

// decide asks package kernel about every step, and the libraries about its calls.
func (m *maker) decide() ([]commands, error) {
	p := m.program
	b := p.engine.builder()
	all := make([]commands, len(p.plan.Steps))
	failed := func(i int, err error) error {
		s := p.plan.Steps[i]
		return &graph.StepError{Step: i, Op: s.Instr.String(), Node: s.Out[0].Name, Err: err}
	}
	for i, s := range p.plan.Steps {
		list, err := kernel.Commands(b, s)
		if err != nil {
			return nil, failed(i, err)
		}
		all[i] = commands{step: s, list: list, host: list == nil}
	}
	m.packs, m.counting = b.Packs, b.CounterBytes()
	if err := p.engine.tuner.measure(m, all, p.purpose()); err != nil {
		return nil, err
	}
	for i, s := range p.plan.Steps {
		if err := p.engine.stopped(); err != nil { // asking a library takes a moment, and longer where it compiles
			return nil, err
		}
		if !all[i].host {
			list, takes, err := m.choose(all[i].list, &all[i])
			if err == nil && !takes {
				err = errors.New("cuda: a library does not take what only it can compute") // a mistake of ours, too
			}
			if err != nil {
				return nil, failed(i, err)
			}
			all[i].list = list
		}
		if all[i].host {
			p.engine.say("no CUDA kernel for %s of %v: it runs on the host, and its operands and results are copied", s.Instr.Kind(), s.Out[0].Dtype)
		}
	}
	return all, nil
}

func sourcesOf(list []kernel.Command) []kernel.Source {
	var all []kernel.Source
	for _, c := range list {
		if l, ok := c.(*kernel.Launch); ok {
			all = append(all, l.Source)
		}
	}
	return all
}
