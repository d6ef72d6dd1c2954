//go:build gpu && cgo && linux

package cuda

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
)

// choices is what keys of Choices begin with.
const choices = "choice "

func isChoice(key string) bool { return strings.HasPrefix(key, choices) }

// named is the way of a Choice that is to be followed, as it lies on disk.
type named struct {
	Way string `json:"way"`
}

// chosen is a measured way of a Choice: its number, −1 for what says nothing of use.
func (c *choice) chosen(of *kernel.Choice) int {
	var n named
	if json.Unmarshal(c.Choice, &n) == nil {
		for i, w := range of.Ways {
			if w.Name == n.Way {
				return i
			}
		}
	}
	return -1
}

// forced is the name of a way that is followed wherever it can be, without being measured. Tests set it.
var forced string

// gather is Builder.Gather, shareBytes Builder.Share, and anyOrder Builder.AnyOrder also for engines that are deterministic. Tests set them.
var (
	gather     int64 = kernel.GatherBytes
	shareBytes int64 = kernel.ShareBytes
	anyOrder   bool
)

// follow decides between the ways of a Choice: for the one that was measured to be the fastest, else for the first whose calls are taken.
func (m *maker) follow(of *kernel.Choice, c *commands) ([]kernel.Command, error) {
	t := m.program.engine.tuner
	take := func(i int) ([]kernel.Command, bool, error) { return m.choose(of.Ways[i].List, nil) }
	for i, w := range of.Ways {
		if w.Name == forced {
			if list, takes, err := take(i); takes || err != nil {
				return list, err
			}
		}
	}
	if t.mode != "off" {
		key, _ := t.keyOf(of, c.step, m.packs)
		if found := t.find(key); found != nil {
			why := errors.New("there is no such way")
			if i := found.chosen(of); i >= 0 {
				list, takes, err := take(i)
				if takes {
					m.uses(key, found)
					c.measured = true
					return list, nil
				}
				if driver.IsLost(err) {
					return nil, err
				}
				if why = err; err == nil {
					why = errors.New("a library does not take its part")
				}
			}
			t.useless(key, "the order in which the ways are listed", why)
		}
	}
	for i := range of.Ways {
		if list, takes, err := take(i); takes || err != nil {
			return list, err
		}
	}
	return nil, errors.New("cuda: libraries take none of the ways to compute it") // a mistake of ours: there is one without them
}

// keyOf is what the measured way of a Choice is kept under, and a description of it. All that the time may depend on is a part of the
// key: the step, and every command of every way, with the texts of kernels and what libraries are asked for.
func (t *tuner) keyOf(of *kernel.Choice, s *graph.Step, packs []kernel.Packed) (key, problem string) {
	e := t.engine
	var names []string
	commands := &writer{t: t, packs: packs, counters: -1}
	for _, w := range of.Ways {
		names = append(names, w.Name)
		fmt.Fprintf(commands, "way %s, %d bytes\n", w.Name, w.Work)
		commands.list(w.List)
	}
	value := func(v *graph.Value) string {
		text := fmt.Sprintf("%v %v", v.Dtype, v.Shape)
		if v.Narrow {
			text += " as bfloat16"
		}
		if v.Transposed {
			text += " transposed"
		}
		return text
	}
	var in, out []string
	for _, v := range s.In {
		in = append(in, value(v))
	}
	for _, v := range s.Out {
		text := value(v)
		for k, of := range s.In {
			if v.Root() == of.Root() {
				text += fmt.Sprintf(" in place of operand %d", k)
			}
		}
		out = append(out, text)
	}
	problem = fmt.Sprintf("%s of %s: %s; precision %v, deterministic %t; ways %s; commands %x", s.Instr, strings.Join(in, ", "), strings.Join(out, ", "),
		e.precision, !e.config.Nondeterministic, strings.Join(names, ", "), sha256.Sum256([]byte(commands.String())))
	return fmt.Sprintf("%s%d\n%s\n%s\n%s", choices, choiceFormat, t.device, t.versions(), problem), problem
}

// versions are those of all that takes part in what a Choice holds.
func (t *tuner) versions() string {
	all := []string{"NVRTC " + t.engine.compiler.lib.Version()}
	if l := t.engine.libs.blas; l != nil {
		all = append(all, "cuBLASLt "+l.Version())
	}
	if l := t.engine.libs.dnn; l != nil {
		all = append(all, "cuDNN "+l.Version())
	}
	return strings.Join(all, ", ")
}

// writer tells everything about commands, and the same of equal ones wherever they are in a program.
type writer struct {
	strings.Builder
	t        *tuner
	packs    []kernel.Packed
	counters int64 // the place of the first
}

func (w *writer) list(list []kernel.Command) {
	for _, c := range list {
		switch c := c.(type) {
		case *kernel.Launch:
			fmt.Fprintf(w, "launch %s of %x %v %v %d", c.Name, sha256.Sum256([]byte(c.Source.Text)), c.Grid, c.Block, c.Shared)
			for _, a := range c.Args {
				switch a := a.(type) {
				case kernel.Pointer:
					w.places(a)
				case kernel.Table:
					fmt.Fprintf(w, " table %x", a.Bytes)
					w.places(a.At...)
				default:
					fmt.Fprintf(w, " %T %v", a, a)
				}
			}
		case *kernel.Fill:
			fmt.Fprintf(w, "fill %d %d", c.Value, c.Bytes)
			w.places(c.To)
		case *kernel.Move:
			fmt.Fprintf(w, "move %d", c.Bytes)
			w.places(c.To, c.From)
		case *kernel.Either:
			w.WriteString("either\n")
			w.list(c.Try)
			w.WriteString("else\n")
			w.list(c.Else)
			w.WriteString("end")
		case *kernel.Gemm:
			w.call(c, []*kernel.Pointer{c.Bias}, c.A, c.B, c.C)
		case *kernel.Convolution:
			w.call(c, []*kernel.Pointer{c.Bias, c.Sums, c.Residual, c.Mask}, c.X, c.Filter, c.Y)
		default:
			fmt.Fprintf(w, "%T", c)
		}
		w.WriteByte('\n')
	}
}

// call tells what a library is asked for.
func (w *writer) call(c kernel.Command, more []*kernel.Pointer, at ...kernel.Pointer) {
	text := "no library"
	if call := w.t.engine.libs.call(c); call != nil {
		problem, err := call.problem()
		text = fmt.Sprintf("%s %s %v", call.library, problem, err)
	}
	w.WriteString(text)
	for _, p := range more {
		if p != nil {
			at = append(at, *p)
		}
	}
	w.places(at...)
}

// places tells where pointers point to: of packed filters which, of counters how far behind the first.
func (w *writer) places(at ...kernel.Pointer) {
	for _, p := range at {
		switch p.Base {
		case kernel.PackBase:
			q := w.packs[p.Index]
			q.Of = nil
			fmt.Fprintf(w, " packed %v+%d", q, p.Offset)
		case kernel.CounterBase:
			if w.counters < 0 {
				w.counters = p.Offset
			}
			fmt.Fprintf(w, " counter %d", p.Offset-w.counters)
		default:
			fmt.Fprintf(w, " %d:%d+%d", p.Base, p.Index, p.Offset)
		}
	}
}
