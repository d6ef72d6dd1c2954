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
	p := &plot{o: o, d: d, at: map[result]int{}}
	p.layers(m, "")
	return d
}

// plot is a picture in the making.
type plot struct {
	o  PlotOptions
	d  *drawing.Drawing
	at map[result]int // box of the result of a layer
}

// layers adds the boxes of m's layers; frame names the nested model.
func (p *plot) layers(m *Model, frame string) {
	for _, n := range m.layers {
		inner, nested := n.layer.(*Model)
		switch {
		case nested && p.o.ExpandNested:
			around, within := p.at, map[result]int{} // the models around may have the same layers
			for i, in := range inner.inputs {
				within[in.first()] = around[n.inputs[i]]
			}
			p.at = within
			p.layers(inner, strings.TrimPrefix(frame+"/"+n.name, "/"))
			p.at = around
			for i, out := range inner.outputs {
				p.at[result{n, i}] = within[out]
			}
		case frame != "" && slices.Contains(m.inputs, n): // it is what the nested model is applied to
		default:
			p.layer(n, frame)
		}
	}
}

func (p *plot) layer(n *node, frame string) {
	b := drawing.Box{ID: fmt.Sprintf("l%d", len(p.d.Boxes)), Lines: []string{n.class}, Cluster: frame, Round: len(n.inputs) == 0, Fill: fillOf(n)}
	if !p.o.HideNames {
		b.Lines = []string{n.name, n.class}
	}
	if f := activationOf(n.layer); p.o.Activations && f != "" {
		b.Lines = append(b.Lines, "activation "+string(f))
	}
	if !p.o.HideShapes {
		var from []string
		for _, in := range n.inputs {
			from = append(from, in.shape().format(in.batch))
		}
		shapes := strings.Join(n.printedShapes(), ", ")
		if len(from) > 0 {
			shapes = strings.Join(from, ", ") + " → " + shapes
		}
		b.Lines = append(b.Lines, shapes)
	}
	if trainable, fixed := n.count(); trainable+fixed > 0 && !p.o.HideParams {
		b.Lines = append(b.Lines, thousands.Format(trainable+fixed)+" parameters")
	}
	for _, in := range n.inputs {
		b.Arrow(p.at[in])
	}
	for i := range n.shapes {
		p.at[result{n, i}] = len(p.d.Boxes)
	}
	p.d.Boxes = append(p.d.Boxes, b)
}

// fillOf gives inputs, layers with weights and the others a colour each.
func fillOf(n *node) string {
	switch {
	case len(n.inputs) == 0:
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
