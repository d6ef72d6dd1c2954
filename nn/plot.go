package nn

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/internal/drawing"
	"github.com/stheno-ml/stheno/internal/thousands"
)

// PlotOptions says what a picture of a model shows, as the arguments of keras.utils.plot_model do.
type PlotOptions struct {
	HideShapes   bool // show_shapes=False: without the shapes of inputs and result
	HideParams   bool // without the numbers of parameters, which Keras does not show
	HideNames    bool // show_layer_names=False: classes only
	Activations  bool // show_layer_activations: the activation of layers that have one
	ExpandNested bool // expand_nested: the layers of nested models, each model in a frame (Graphviz) or named in the boxes (SVG)
}

// WriteSVG draws the model's layers as boxes, each below those that it gets its inputs from.
func (m *Model) WriteSVG(w io.Writer, o PlotOptions) error { return m.draw(o).WriteSVG(w) }

// WriteDOT writes the same picture in Graphviz's language.
func (m *Model) WriteDOT(w io.Writer, o PlotOptions) error { return m.draw(o).WriteDOT(w) }

func (m *Model) draw(o PlotOptions) *drawing.Drawing {
	total, _, _ := m.CountParams()
	d := &drawing.Drawing{Title: fmt.Sprintf("%s: %d layers, %s parameters", m.name, len(m.layers), thousands.Format(total))}
	p := &plot{o: o, d: d, found: map[origin][]int{}}
	p.layers(&frame{m: m})
	for _, f := range p.frames {
		for _, n := range f.m.layers {
			if _, drawn := f.box[n]; !drawn {
				continue
			}
			for _, in := range f.m.sources(n) {
				for _, from := range p.boxes(origin{f, in}) {
					d.Boxes[f.box[n]].Arrow(from)
				}
			}
		}
	}
	return d
}

// plot is a picture in the making.
type plot struct {
	o      PlotOptions
	d      *drawing.Drawing
	frames []*frame
	found  map[origin][]int // nil for those that are looked for
}

// frame is the model, or a nested one whose layers are drawn: once, wherever it is applied.
type frame struct {
	m      *Model
	name   string
	around *frame
	calls  []*call // in the model around it
	box    map[*node]int
	nested map[*node]*frame
}

// origin is a result of a layer in a frame.
type origin struct {
	in *frame
	of result
}

// layers adds the boxes of a frame's layers.
func (p *plot) layers(f *frame) {
	f.box, f.nested = map[*node]int{}, map[*node]*frame{}
	p.frames = append(p.frames, f)
	for _, n := range f.m.layers {
		inner, nested := n.layer.(*Model)
		switch {
		case nested && p.o.ExpandNested:
			f.nested[n] = &frame{m: inner, name: strings.TrimPrefix(f.name+"/"+n.name, "/"), around: f, calls: f.m.places[n]}
			p.layers(f.nested[n])
		case f.around != nil && f.m.takes(n): // it is what the nested model is applied to
		default:
			f.box[n] = len(p.d.Boxes)
			p.d.Boxes = append(p.d.Boxes, p.layer(f.m, n, f.name))
		}
	}
}

// boxes are those that a result comes from: of the input of a nested model what that is applied to in all its places.
func (p *plot) boxes(from origin) []int {
	if at, known := p.found[from]; known {
		return at
	}
	p.found[from] = nil // a model that returns its input may be applied to its own result
	var all []int
	f, r := from.in, from.of
	box, drawn := f.box[r.node]
	switch inner := f.nested[r.node]; {
	case drawn:
		all = []int{box}
	case inner != nil:
		all = p.boxes(origin{inner, inner.m.outputs[r.index]})
	default:
		i := slices.Index(f.m.inputs, r.call)
		for _, c := range f.calls {
			for _, box := range p.boxes(origin{f.around, c.inputs[i]}) {
				if !slices.Contains(all, box) {
					all = append(all, box)
				}
			}
		}
	}
	p.found[from] = all
	return all
}

func (p *plot) layer(m *Model, n *node, frame string) drawing.Box {
	b := drawing.Box{ID: fmt.Sprintf("l%d", len(p.d.Boxes)), Lines: []string{n.class}, Cluster: frame, Round: len(m.sources(n)) == 0, Fill: m.fillOf(n)}
	if !p.o.HideNames {
		b.Lines = []string{n.name, n.class}
	}
	if f := activationOf(n.layer); p.o.Activations && f != "" {
		b.Lines = append(b.Lines, "activation "+string(f))
	}
	for _, c := range m.places[n] {
		if p.o.HideShapes {
			break
		}
		var from []string
		for _, in := range c.inputs {
			from = append(from, in.shape().format(in.batch))
		}
		shapes := strings.Join(c.printedShapes(), ", ")
		if len(from) > 0 {
			shapes = strings.Join(from, ", ") + " → " + shapes
		}
		if b.Lines[len(b.Lines)-1] != shapes { // once for places that are alike
			b.Lines = append(b.Lines, shapes)
		}
	}
	if trainable, fixed := n.count(); trainable+fixed > 0 && !p.o.HideParams {
		b.Lines = append(b.Lines, thousands.Format(trainable+fixed)+" parameters")
	}
	return b
}

// fillOf gives inputs, layers with weights and the others a colour each.
func (m *Model) fillOf(n *node) string {
	switch {
	case len(m.sources(n)) == 0:
		return "#eeeeee"
	case len(n.weights) > 0:
		return "#dbe9f8"
	}
	return "#dff0d8"
}

// activationOf is what a layer's field Activation (or Func, of the layer of that name) holds, "" for linear and for layers without one.
func activationOf(l Layer) Nonlinearity {
	if a, ok := l.(Activation); ok {
		return a.Func
	}
	v := reflect.Indirect(reflect.ValueOf(l))
	if v.Kind() != reflect.Struct {
		return ""
	}
	field := v.FieldByName("Activation")
	if !field.IsValid() || !field.CanInterface() {
		return ""
	}
	f, _ := field.Interface().(Nonlinearity)
	if f == Linear {
		return ""
	}
	return f
}
