//go:build gpu && cgo && linux

package cuda

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
)

// maker turns the commands of steps into actions.
type maker struct {
	program  *program
	step_    *graph.Step
	at       int       // of the step
	need     int64     // working memory of the step
	work     []address // that point into it
	needs    []int     // working memory of all steps
	placed   []placed  // addresses in scratch memory
	packs    []kernel.Packed
	packed   map[int]packedAt // of the packed filters that are used, by number
	packing  int64            // memory of them
	filters  []address        // that point to them
	counts   []address        // that point to the counters
	counting int64            // memory of them
	names    []string
	plans    map[kernel.Command]*way // of calls that a library takes
	refused  error                   // why a library did not take one, the last of them
	apart    bool                    // a step is tried by itself: all of its operands are bound later
}

// placed is an address in scratch memory, of which it is not known yet what lies where: of a value, or of a step's working memory.
type placed struct {
	address
	value *graph.Value
	step  int
}

// choose decides between what libraries and what our own kernels do. It comes before anything is compiled, so that only what will
// run is. takes is false where a library does not take what only it can do. c is the step's, for a list in which there may be a Choice.
func (m *maker) choose(list []kernel.Command, c *commands) (chosen []kernel.Command, takes bool, err error) {
	chosen = make([]kernel.Command, 0, len(list))
	for _, x := range list {
		switch x := x.(type) {
		case *kernel.Choice:
			way, err := m.follow(x, c)
			if err != nil {
				return nil, false, err
			}
			chosen = append(chosen, way...)
		case *kernel.Either:
			takes, err := m.planAll(x.Try)
			switch {
			case err != nil:
				return nil, false, err
			case takes:
				chosen = append(chosen, x.Try...)
			default:
				chosen = append(chosen, x.Else...)
			}
		default:
			if takes, err := m.plan(x); err != nil || !takes {
				return nil, false, err
			}
			chosen = append(chosen, x)
		}
	}
	return chosen, true, nil
}

// planAll says whether the libraries take all that a list asks of them.
func (m *maker) planAll(list []kernel.Command) (takes bool, err error) {
	for _, c := range list {
		if takes, err = m.plan(c); err != nil || !takes {
			return false, err
		}
	}
	return true, nil
}

func (m *maker) step(s *graph.Step, c commands) (step, error) {
	m.step_, m.need, m.work, m.names = s, 0, nil, nil
	defer func() {
		for _, a := range m.work {
			m.placed = append(m.placed, placed{address: a, step: m.at})
		}
		m.needs = append(m.needs, int(m.need))
		m.at++
	}()
	if c.host {
		h, err := m.hostStep(s)
		if err != nil {
			return step{}, err
		}
		return step{[]action{h}, h.name()}, nil
	}
	actions, err := m.actions(c.list)
	if err != nil {
		return step{}, err
	}
	name := strings.Join(m.names, " + ")
	if c.measured && !strings.HasSuffix(name, measured(true)) {
		name += measured(true)
	}
	return step{actions, name}, nil
}

func (m *maker) actions(list []kernel.Command) ([]action, error) {
	var all []action
	for _, c := range list {
		made, err := m.command(c)
		if err != nil {
			return nil, err
		}
		all = append(all, made...)
	}
	return all, nil
}

func (m *maker) command(c kernel.Command) ([]action, error) {
	switch c := c.(type) {
	case *kernel.Launch:
		return m.launch(c)
	case *kernel.Fill:
		f := &fill{value: c.Value, bytes: c.Bytes}
		m.point(&f.to, c.To)
		return []action{f}, nil
	case *kernel.Move:
		v := &move{bytes: c.Bytes}
		m.point(&v.to, c.To)
		m.point(&v.from, c.From)
		m.names = append(m.names, "copy")
		return []action{v}, nil
	case *kernel.Check:
		return m.check(c)
	case *kernel.Gemm:
		return m.gemm(c), nil
	case *kernel.Convolution:
		return m.convolution(c), nil
	}
	return nil, fmt.Errorf("cuda: the engine does not know the command %T", c)
}

// point writes the address that p stands for to where it is needed, now or when it is known.
func (m *maker) point(to *uint64, p kernel.Pointer) {
	var v *graph.Value
	switch p.Base {
	case kernel.OutBase:
		v = m.step_.Out[p.Index]
	case kernel.InBase:
		v = m.step_.In[p.Index]
	case kernel.PackBase:
		m.filters = append(m.filters, address{to, m.pack(p.Index) + p.Offset})
		return
	case kernel.CounterBase:
		m.counts = append(m.counts, address{to, p.Offset})
		return
	default:
		m.need = max(m.need, p.End)
		m.work = append(m.work, address{to, p.Offset})
		return
	}
	r := v.Root()
	if r.Where == graph.External || m.apart {
		m.program.at[r] = append(m.program.at[r], address{to, p.Offset})
		return
	}
	m.placed = append(m.placed, placed{address: address{to, p.Offset}, value: r})
}

// makeRoom decides what lies where in scratch memory, and sees to it that there is enough.
func (m *maker) makeRoom() error {
	p := m.program
	p.works, p.room = m.needs, p.plan.Room(m.needs)
	for _, a := range m.placed {
		if a.value != nil {
			a.offset += int64(p.room.Offsets[a.value.ID])
		} else {
			a.offset += int64(p.room.Work[a.step])
		}
		p.within = append(p.within, a.address)
	}
	p.needs = int64(p.room.Bytes)
	if err := p.engine.scratch.fit(p); err != nil {
		return err
	}
	p.engine.scratch.tell(p)
	return nil
}

// makeCounters allocates the counters and clears them. A launch that is done leaves them at 0, and what is begun and never done takes the
// device's context along; so they are 0 at the beginning of every run, also behind one that failed.
func (m *maker) makeCounters() error {
	if m.counting == 0 {
		return nil
	}
	p := m.program
	memory, err := p.engine.alloc(m.counting, useLists, "counters of blocks that are done")
	if err != nil {
		return err
	}
	p.close = append(p.close, func() error { return p.engine.dev.Memory.Free(memory) })
	for _, a := range m.counts {
		*a.to = uint64(memory) + uint64(a.offset)
	}
	return p.engine.stream.Fill(memory, 0, m.counting)
}

// library reserves working memory for a call of a library, behind what the step's commands up to it have.
func (m *maker) library(bytes int64) kernel.Pointer {
	at := m.need
	return kernel.Pointer{Base: kernel.WorkBase, Offset: at, End: at + (bytes+255)/256*256}
}

func (m *maker) launch(c *kernel.Launch) ([]action, error) {
	l, err := m.program.engine.newLaunch(c)
	if err != nil {
		return nil, err
	}
	m.program.close = append(m.program.close, func() error { l.Close(); return nil })
	for i, a := range c.Args {
		switch a := a.(type) {
		case kernel.Pointer:
			m.point(l.Arg(i), a)
		case kernel.Table:
			for k, p := range a.At {
				m.point(l.Word(i, k), p)
			}
		case kernel.Late:
			to, at := l.Arg(i), m.at
			m.program.before = append(m.program.before, func() error {
				x, err := a()
				if err != nil {
					return m.program.failed(at, err)
				}
				if *to == uint64(x) {
					return nil
				}
				*to = uint64(x)
				return m.program.moved()
			})
		}
	}
	m.names = append(m.names, c.Name)
	return []action{l}, nil
}

// newLaunch prepares a launch of a kernel that is compiled, with what is known of its arguments.
func (e *Engine) newLaunch(c *kernel.Launch) (*launch, error) {
	f, err := e.compiler.function(c)
	if err != nil {
		return nil, err
	}
	args := make([][]byte, len(c.Args))
	for i, a := range c.Args {
		if args[i], err = encode(a); err != nil {
			return nil, fmt.Errorf("cuda: argument %d of kernel %s: %w", i, c.Name, err)
		}
	}
	return &launch{driver.NewLaunch(f, dims(c.Grid), dims(c.Block), c.Shared, args), c}, nil
}

func dims(d kernel.Dim3) [3]int { return [3]int{max(d.X, 1), max(d.Y, 1), max(d.Z, 1)} }

// encode is an argument as the device reads it.
func encode(a any) ([]byte, error) {
	switch a := a.(type) {
	case kernel.Pointer, kernel.Late:
		return make([]byte, 8), nil // filled in later
	case kernel.Bytes:
		return a, nil
	case kernel.Table:
		return a.Bytes, nil
	case kernel.Address:
		return binary.LittleEndian.AppendUint64(nil, uint64(a)), nil
	case int32:
		return binary.LittleEndian.AppendUint32(nil, uint32(a)), nil
	case uint32:
		return binary.LittleEndian.AppendUint32(nil, a), nil
	case int64:
		return binary.LittleEndian.AppendUint64(nil, uint64(a)), nil
	case uint64:
		return binary.LittleEndian.AppendUint64(nil, a), nil
	case float32:
		return binary.LittleEndian.AppendUint32(nil, math.Float32bits(a)), nil
	case float64:
		return binary.LittleEndian.AppendUint64(nil, math.Float64bits(a)), nil
	}
	return nil, fmt.Errorf("a %T is not an argument of a kernel", a)
}
