package graph

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Explanation is a plan laid open: every step with what it computes, on which kernel, how much work it is and where its
// result lives. String prints it as a table; encoding/json writes it.
type Explanation struct {
	Engine    string `json:"engine,omitempty"`   // "" for a plan that no engine built
	Precision string `json:"precision"`          // float types of the steps' results
	Products  string `json:"products,omitempty"` // how the engine multiplies float32, such as "bf16", where that is not fp32

	Inputs    Group `json:"inputs"` // fed before every run, variables not among them
	Variables Group `json:"variables"`
	Constants Group `json:"constants"`
	Outputs   Group `json:"outputs"`

	FLOPs int64 `json:"flops"` // of all steps of a run: those that are run once are not among them
	Bytes int64 `json:"bytes"` // that they move

	ArenaBytes int `json:"arena_bytes"`
	PeakBytes  int `json:"peak_bytes"` // Plan.PeakBytes
	LiveBytes  int `json:"live_bytes"` // the most that is alive in the arena at once
	PeakStep   int `json:"peak_step"`  // the first step at which it is; -1 without an arena

	// What the engine keeps instead of the arena, together with the working memory of kernels and libraries, and how much of that is in use
	// at the fullest step; 0 where it does not tell.
	RoomBytes     int `json:"room_bytes,omitempty"`
	RoomLiveBytes int `json:"room_live_bytes,omitempty"`

	Steps []ExplainedStep `json:"steps"`
}

// Group counts values of one kind.
type Group struct {
	Count int `json:"count"`
	Bytes int `json:"bytes"`
}

// ExplainedStep is one step of an [Explanation].
type ExplainedStep struct {
	Step      int      `json:"step"`
	Layer     string   `json:"layer,omitempty"` // that it belongs to, "" where nothing tells
	Kind      string   `json:"kind"`
	Operation string   `json:"operation"` // with all attributes
	Kernel    string   `json:"kernel"`    // "-" where the engine does not tell
	In        []string `json:"in"`        // types and shapes: "f32(64, 10)"
	Out       []string `json:"out"`
	Layout    string   `json:"layout,omitempty"` // "NHWC" or "NCHW" for operations on images
	Place     []string `json:"place"`            // of each result: "@n" in the arena, "in place of NAME", "@n in place", "out"
	LiveBytes int      `json:"live_bytes"`       // alive in the arena while it runs
	Once      bool     `json:"once,omitempty"`   // run once, not in every run
	Cost
}

// Explain lays a plan open. What kernels run it, only a machine can tell: see [Machine.Explain].
func Explain(p *Plan) *Explanation {
	e := &Explanation{Precision: precision(p), ArenaBytes: p.ArenaBytes, PeakBytes: p.PeakBytes(), PeakStep: -1}
	for _, v := range p.Values {
		switch {
		case v.Where != External || v.Alias != nil:
		case v.Variable:
			e.Variables.add(v)
		case v.Input:
			e.Inputs.add(v)
		case v.Const != nil:
			e.Constants.add(v)
		default:
			e.Outputs.add(v)
		}
	}
	live, layers := liveBytes(p), layersOf(p)
	for i, s := range p.Steps {
		row := ExplainedStep{Step: i, Layer: layers[i], Kind: s.Instr.Kind(), Operation: s.Instr.String(), Kernel: "-",
			Layout: layoutOf(s.Instr), LiveBytes: live[i], Once: s.Once, Cost: CostOf(s)}
		for _, v := range s.In {
			row.In = append(row.In, typeString(v))
		}
		for _, v := range s.Out {
			row.Out, row.Place = append(row.Out, typeString(v)), append(row.Place, placeText(v))
		}
		if live[i] > e.LiveBytes {
			e.LiveBytes, e.PeakStep = live[i], i
		}
		if !s.Once {
			e.FLOPs += row.FLOPs
			e.Bytes += row.Bytes
		}
		e.Steps = append(e.Steps, row)
	}
	return e
}

func (g *Group) add(v *Value) {
	g.Count++
	g.Bytes += v.Bytes()
}

// precision lists the float types that steps compute in, e.g. "float32".
func precision(p *Plan) string {
	var found []string
	for _, s := range p.Steps {
		for _, v := range s.Out {
			if name := v.Dtype.String(); v.Dtype != tensor.Int && v.Dtype != tensor.Bool && !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	return strings.Join(found, ", ")
}

// liveBytes is what the arena must hold while each step runs.
func liveBytes(p *Plan) []int {
	live := make([]int, len(p.Steps)+1) // the last is the time of the updates
	for _, l := range lifetimes(p.Steps, p.Assigns) {
		for i := l.born; i <= l.dies && i < len(live); i++ {
			live[i] += l.v.StoredBytes()
		}
	}
	return live
}

// layoutOf is the order of the axes of the images that an operation works on, "" for operations on anything else.
func layoutOf(i Instr) string {
	switch o := i.(type) {
	case *op.Conv2D:
		return o.Format.String()
	case *FusedConv2D:
		return o.Conv.Format.String()
	case *op.Conv2DBackwardInput:
		return o.Format.String()
	case *FusedConv2DBackwardInput:
		return o.Grad.Format.String()
	case *op.Conv2DBackwardFilter:
		return o.Format.String()
	case *FusedUpdate:
		return layoutOf(o.Grad)
	case *op.MaxPool2D:
		return o.Format.String()
	case *op.AvgPool2D:
		return o.Format.String()
	case *op.MaxPool2DGrad:
		return o.Format.String()
	case *FusedMaxPool2DGrad:
		return o.Grad.Format.String()
	case *op.AvgPool2DGrad:
		return o.Format.String()
	case *op.GlobalAvgPool2D:
		return o.Format.String()
	case *op.GlobalAvgPool2DGrad:
		return o.Format.String()
	case *op.ZeroPad2D:
		return o.Format.String()
	case *op.Crop2D:
		return o.Format.String()
	}
	return ""
}

// placeText is place for readers to whom the numbers of values say nothing.
func placeText(v *Value) string {
	root := v.Root()
	switch {
	case root.Where == External && v.Alias != nil:
		return "in place of " + root.Name
	case root.Where == External:
		return "out"
	case v.Alias != nil:
		return fmt.Sprintf("@%d in place", root.Offset)
	}
	return fmt.Sprintf("@%d", v.Offset)
}

// Explain lays the machine's plan open, with the kernels that its engine chose. It is nil for a machine without a plan, of
// which [Machine.Err] says why.
func (m *Machine) Explain() *Explanation {
	if m.plan == nil {
		return nil
	}
	e := Explain(m.plan)
	e.Engine = engineName(m.engine)
	if p, ok := m.engine.(interface{ Precision() string }); ok && p.Precision() != "fp32" {
		e.Products = p.Precision()
	}
	if k, ok := m.prog.(KernelTeller); ok {
		for i, name := range k.Kernels() {
			e.Steps[i].Kernel = name
		}
	}
	if t, ok := m.prog.(RoomTeller); ok {
		if r := t.Room(); r != nil {
			e.RoomBytes, e.RoomLiveBytes = r.Bytes, r.Least
		}
	}
	return e
}

// engineName is what an engine says of itself where it says more than its name.
func engineName(e Engine) string {
	if s, ok := e.(fmt.Stringer); ok {
		return s.String()
	}
	return e.Name()
}
