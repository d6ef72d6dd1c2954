package graph

import (
	"fmt"
	"io"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/drawing"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Drawing is a graph of boxes: of a plan's steps, or of the nodes of a Gorgonia graph. WriteDOT gives it to Graphviz,
// WriteSVG draws it without. What every box would have an arrow from, or what only one has (parameters, slots of the
// optimizer, the learning rate, constants), is a line in the box instead of a box of its own.
type Drawing struct {
	Title string
	boxes []box
}

// WriteDOT writes a plan in Graphviz's language: steps of one layer in a frame, those of the backward pass in another.
func WriteDOT(w io.Writer, p *Plan) error { return DrawPlan(p).WriteDOT(w) }

// WriteGraphDOT writes a Gorgonia graph in Graphviz's language.
func WriteGraphDOT(w io.Writer, g *gorgonia.ExprGraph) error { return DrawGraph(g).WriteDOT(w) }

// WriteDOT writes the drawing in Graphviz's language.
func (d *Drawing) WriteDOT(w io.Writer) error { return d.drawing().WriteDOT(w) }

// WriteSVG draws without Graphviz: boxes in rows, each below all that it reads. The same drawing gives the same bytes.
func (d *Drawing) WriteSVG(w io.Writer) error { return d.drawing().WriteSVG(w) }

// drawing is what is drawn, with the colours of the phases.
func (d *Drawing) drawing() *drawing.Drawing {
	out := &drawing.Drawing{Title: d.Title}
	for _, b := range d.boxes {
		b.Fill, b.Round = b.phase.fill(), b.phase == isInput
		out.Boxes = append(out.Boxes, b.Box)
	}
	return out
}

// box is a rectangle with text, and what it is for. Its ID is that of the step or of the input.
type box struct {
	drawing.Box
	phase phase
}

type phase uint8

const (
	isInput phase = iota
	isForward
	isBackward
	isUpdate
)

// fill is the colour of a phase's boxes.
func (p phase) fill() string {
	return [...]string{isInput: "#eeeeee", isForward: "#dbe9f8", isBackward: "#fbe5d0", isUpdate: "#dff0d8"}[p]
}

// phaseOf says what a step is for, by its operation and by whether one of its operands is a gradient.
func phaseOf(s *Step, gradientIn bool) phase {
	kind := s.Instr.Kind()
	switch {
	case updatesVariable(s):
		return isUpdate
	case gradientIn || strings.Contains(kind, "Grad") || strings.Contains(kind, "Backward") || strings.HasSuffix(kind, "Sums"):
		return isBackward
	}
	return isForward
}

// DrawPlan draws the steps of a plan.
func DrawPlan(p *Plan) *Drawing {
	if p == nil { // of a machine that could not be made
		return &Drawing{Title: "no plan"}
	}
	d := &Drawing{Title: fmt.Sprintf("%d steps, peak %s", len(p.Steps), bytesText(p.PeakBytes()))}
	at := map[*Value]int{} // box that makes a value
	for _, v := range p.Inputs {
		if !inBox(v.Name, len(v.Shape)) && !v.Variable {
			at[v] = len(d.boxes)
			d.boxes = append(d.boxes, box{Box: drawing.Box{ID: fmt.Sprintf("v%d", v.ID), Lines: []string{v.Name, typeString(v)}}})
		}
	}
	layers := layersOf(p)
	outputs := map[*Value]bool{}
	for _, v := range p.Outputs {
		outputs[v] = true
	}
	for i, s := range p.Steps {
		b := box{Box: drawing.Box{ID: fmt.Sprintf("s%d", i), Lines: []string{fmt.Sprintf("%d %s", i, shortName(s.Instr.String()))}, Cluster: layers[i]}}
		var results []string
		for _, o := range s.Out {
			text := typeString(o)
			if outputs[o] {
				text += " output"
			}
			results = append(results, text)
		}
		b.Lines = append(b.Lines, brief(results))
		gradientIn := false
		for _, v := range s.In {
			k, ok := maker(at, v)
			switch {
			case ok:
				b.Arrow(k)
				gradientIn = gradientIn || d.boxes[k].phase == isBackward
			case v.Root().Const == nil && strings.Contains(v.Root().Name, "/"):
				b.Lines = append(b.Lines, v.Root().Name)
			}
		}
		if b.phase = phaseOf(s, gradientIn); b.phase != isForward && b.Cluster != "" {
			b.Cluster += [...]string{isBackward: " (backward)", isUpdate: " (backward)"}[b.phase]
		}
		for _, o := range s.Out {
			at[o] = len(d.boxes)
		}
		d.boxes = append(d.boxes, b)
	}
	return d
}

// DrawGraph draws the nodes of a Gorgonia graph.
func DrawGraph(g *gorgonia.ExprGraph) *Drawing {
	if g == nil {
		return &Drawing{Title: "no graph"}
	}
	nodes := g.AllNodes()
	d := &Drawing{Title: fmt.Sprintf("%d nodes", len(nodes))}
	at := map[*gorgonia.Node]int{}
	for _, n := range sortedNodes(nodes) {
		_, constant := constantOf(n)
		if n.Op() == nil && inBox(n.Name(), len(n.Shape())) || constant {
			continue
		}
		b := box{Box: drawing.Box{ID: fmt.Sprintf("n%d", n.ID()), Cluster: layerName(n.Name())}}
		if n.Op() == nil {
			b.Lines, b.Cluster = []string{n.Name()}, ""
		} else {
			b.phase, b.Lines = isForward, []string{shortName(n.Op().String())}
		}
		if n.Type() != nil { // a statement has none
			if dt, err := dtypeOf(n); err == nil {
				b.Lines = append(b.Lines, typeString(&Value{Shape: n.Shape(), Dtype: dt}))
			} else {
				b.Lines = append(b.Lines, shape.Format(n.Shape()))
			}
		}
		for _, c := range op.Children(n) {
			if k, ok := at[c]; ok {
				b.Arrow(k)
				if d.boxes[k].phase == isBackward {
					b.phase = isBackward
				}
			} else if strings.Contains(c.Name(), "/") && c.Op() == nil {
				b.Lines = append(b.Lines, c.Name())
			}
		}
		if i, ours := n.Op().(Instr); ours {
			b.phase = phaseOf(&Step{Instr: i, In: []*Value{{Variable: onlyUpdates(i)}}}, b.phase == isBackward)
		}
		at[n] = len(d.boxes)
		d.boxes = append(d.boxes, b)
	}
	return d
}

// onlyUpdates says of an operation in a Gorgonia graph, which does not tell what is updated, that it is made for optimizers and
// running averages only.
func onlyUpdates(i Instr) bool { return updating(i) && i.Kind() != "Add" }

// sortedNodes puts every node behind its children and keeps the order of creation otherwise: Gorgonia's list is in that
// order but for nodes that were changed later.
func sortedNodes(nodes gorgonia.Nodes) gorgonia.Nodes {
	sorted := make(gorgonia.Nodes, 0, len(nodes))
	state := map[*gorgonia.Node]int{} // children pushed; -1 once sorted
	for _, root := range nodes {
		stack := gorgonia.Nodes{root}
		for len(stack) > 0 {
			n := stack[len(stack)-1]
			children := op.Children(n)
			if state[n] < 0 || state[n] == len(children) {
				stack = stack[:len(stack)-1]
				if state[n] >= 0 {
					state[n] = -1
					sorted = append(sorted, n)
				}
				continue
			}
			state[n]++
			if c := children[state[n]-1]; state[c] == 0 {
				stack = append(stack, c)
			}
		}
	}
	return sorted
}

// inBox says that an input is a line in the boxes of its readers: a scalar, or something of a layer.
func inBox(name string, axes int) bool { return axes == 0 || strings.Contains(name, "/") }
