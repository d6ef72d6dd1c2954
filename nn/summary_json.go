package nn

import "encoding/json"

type summaryJSON struct {
	Model        string      `json:"model"`
	DataFormat   string      `json:"data_format"`
	Layers       []layerJSON `json:"layers"`
	Total        int         `json:"total_params"`
	Trainable    int         `json:"trainable_params"`
	NonTrainable int         `json:"non_trainable_params"`
}

type layerJSON struct {
	Name        string   `json:"layer"`
	Class       string   `json:"class"`
	OutputShape []*int   `json:"output_shape"`
	Params      int      `json:"params"`
	Trainable   int      `json:"trainable_params"`
	ConnectedTo []string `json:"connected_to"`
}

// SummaryJSON returns the summary as indented JSON: name, class, output shape (null for an open batch axis),
// parameters and connected_to for each layer in Keras's order, and the totals.
func (m *Model) SummaryJSON() ([]byte, error) {
	total, trainable, fixed := m.CountParams()
	s := summaryJSON{Model: m.name, DataFormat: "channels_last", Total: total, Trainable: trainable, NonTrainable: fixed}
	if m.format == ChannelsFirst {
		s.DataFormat = "channels_first"
	}
	for _, l := range m.Layers() {
		j := layerJSON{Name: l.Name, Class: l.Class, OutputShape: []*int{nil}, Params: l.Trainable + l.Fixed,
			Trainable: l.Trainable, ConnectedTo: append([]string{}, l.Inputs...)}
		if batch := m.Batch(); batch > 0 {
			j.OutputShape[0] = &batch
		}
		for _, d := range l.OutputShape {
			j.OutputShape = append(j.OutputShape, &d)
		}
		s.Layers = append(s.Layers, j)
	}
	return json.MarshalIndent(s, "", "  ")
}
