package nn

import (
	"encoding/json"
	"slices"
)

type summaryJSON struct {
	Model        string      `json:"model"`
	DataFormat   string      `json:"data_format"`
	Inputs       []string    `json:"inputs,omitempty"`
	Outputs      []string    `json:"outputs,omitempty"`
	Layers       []layerJSON `json:"layers"`
	Total        int         `json:"total_params"`
	Trainable    int         `json:"trainable_params"`
	NonTrainable int         `json:"non_trainable_params"`
}

type layerJSON struct {
	Name        string   `json:"layer"`
	Class       string   `json:"class"`
	OutputShape []*int   `json:"output_shape"`
	Shapes      [][]*int `json:"output_shapes,omitempty"`
	Params      int      `json:"params"`
	Trainable   int      `json:"trainable_params"`
	ConnectedTo []string `json:"connected_to"`
	Sources     []string `json:"sources,omitempty"`
}

// SummaryJSON returns the summary as indented JSON: name, class, output shape (null for an open batch axis),
// parameters and connected_to for each layer in Keras's order, and the totals. Models of several inputs or outputs have their names in inputs and
// outputs, layers of several results all shapes in output_shapes. What is connected to several places of a layer, or is in several itself, tells
// in sources which these are, as Keras writes it: "embed[1][0]" is the first result of the second.
func (m *Model) SummaryJSON() ([]byte, error) {
	total, trainable, fixed := m.CountParams()
	s := summaryJSON{Model: m.name, DataFormat: "channels_last", Total: total, Trainable: trainable, NonTrainable: fixed}
	if m.format == ChannelsFirst {
		s.DataFormat = "channels_first"
	}
	if in, out := m.Inputs(), m.Outputs(); len(in) > 1 || len(out) > 1 {
		for _, p := range in {
			s.Inputs = append(s.Inputs, p.Name)
		}
		for _, p := range out {
			s.Outputs = append(s.Outputs, p.Name)
		}
	}
	for i, l := range m.Layers() {
		batch := m.places[m.layers[i]][0].batch
		j := layerJSON{Name: l.Name, Class: l.Class, OutputShape: shapeJSON(l.OutputShape, batch), Params: l.Trainable + l.Fixed,
			Trainable: l.Trainable, ConnectedTo: append([]string{}, l.Inputs...)}
		if len(l.OutputShapes) > 1 {
			for _, shape := range l.OutputShapes {
				j.Shapes = append(j.Shapes, shapeJSON(shape, batch))
			}
		}
		if sources := m.sources(m.layers[i]); len(l.Calls) > 1 || slices.ContainsFunc(sources, func(r result) bool { return r.number > 0 }) {
			for _, in := range sources {
				j.Sources = append(j.Sources, in.printed(in.name))
			}
		}
		s.Layers = append(s.Layers, j)
	}
	return json.MarshalIndent(s, "", "  ")
}

// shapeJSON is a shape with the batch in front, null where that is open.
func shapeJSON(s Shape, batch int) []*int {
	out := []*int{nil}
	if batch > 0 {
		out[0] = &batch
	}
	for _, d := range s {
		out = append(out, &d)
	}
	return out
}
