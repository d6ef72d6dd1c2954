package nn

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSummaryOfBranches(t *testing.T) {
	b := NewBuilder("two")
	in := b.Add(Input{Shape: Shape{4}, Batch: 16})
	x := b.Add(Dense{Units: 1200, Name: "a_rather_long_name_of_a_layer"}, in)
	y := b.Add(Dense{Units: 1200}, in)
	m, err := b.Model(in, b.Add(Add{}, x, y, x))
	require.NoError(t, err)
	require.Equal(t, `Model: "two"
__________________________________________________________________________________________________
Layer (type)                    Output Shape         Param #     Connected to                     
==================================================================================================
input_1 (InputLayer)            [(16, 4)]            0                                            
__________________________________________________________________________________________________
a_rather_long_name_of_a_layer ( (16, 1200)           6000        input_1[0][0]                    
__________________________________________________________________________________________________
dense (Dense)                   (16, 1200)           6000        input_1[0][0]                    
__________________________________________________________________________________________________
add (Add)                       (16, 1200)           0           a_rather_long_name_of_a_layer[0][
                                                                 dense[0][0]                      
                                                                 a_rather_long_name_of_a_layer[0][
==================================================================================================
Total params: 12,000
Trainable params: 12,000
Non-trainable params: 0
__________________________________________________________________________________________________
`, m.Summary())
	require.Equal(t, 16, m.Batch())

	var wide strings.Builder
	require.NoError(t, m.WriteSummary(&wide, SummaryOptions{LineLength: 140}))
	require.Contains(t, wide.String(), "a_rather_long_name_of_a_layer (Dense) ")
	require.Contains(t, wide.String(), strings.Repeat("=", 140)+"\n")
	require.ErrorIs(t, m.WriteSummary(full{}, SummaryOptions{}), errFull)
	require.NoError(t, m.WriteSummary(&wide, SummaryOptions{LineLength: 3}))
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestSummaryJSON(t *testing.T) {
	m := tinyResidual(t, ChannelsFirst)
	text, err := m.SummaryJSON()
	require.NoError(t, err)
	var got struct {
		Model        string
		DataFormat   string `json:"data_format"`
		Total        int    `json:"total_params"`
		NonTrainable int    `json:"non_trainable_params"`
		Layers       []struct {
			Layer, Class string
			OutputShape  []*int `json:"output_shape"`
			Params       int
			Trainable    int      `json:"trainable_params"`
			ConnectedTo  []string `json:"connected_to"`
		}
	}
	require.NoError(t, json.Unmarshal(text, &got))
	total, _, fixed := m.CountParams()
	require.Equal(t, []any{"residual", "channels_first", total, fixed}, []any{got.Model, got.DataFormat, got.Total, got.NonTrainable})
	first, last := got.Layers[0], got.Layers[len(got.Layers)-1]
	require.Equal(t, []any{"input_1", "InputLayer", 0}, []any{first.Layer, first.Class, first.Params})
	require.Equal(t, []string{}, first.ConnectedTo)
	require.Nil(t, first.OutputShape[0], "the batch is open")
	require.Equal(t, 6, *first.OutputShape[1])
	require.Equal(t, []string{"dense"}, last.ConnectedTo)
	for _, l := range got.Layers {
		if l.Layer == "batch_normalization" {
			require.Equal(t, []int{16, 8}, []int{l.Params, l.Trainable})
		}
		if l.Layer == "add" {
			require.Equal(t, []string{"activation", "batch_normalization_1", "batch_normalization_2"}, l.ConnectedTo)
		}
	}

	b := NewBuilder("m")
	in := b.Add(Input{Shape: Shape{4}, Batch: 16})
	fixedBatch, err := b.Model(in, b.Add(Flatten{}, in))
	require.NoError(t, err)
	text, err = fixedBatch.SummaryJSON()
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(text), "\n        16,\n        4\n"))
}
