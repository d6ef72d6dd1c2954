package keras_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights/keras"
)

// sequential is a Keras 2 configuration of layers, given as class and arguments.
func sequential(layers ...string) []byte {
	parts := []string{`{"class_name":"InputLayer","config":{"batch_input_shape":[null,8,8,4],"name":"in"}}`}
	for i, l := range layers {
		class, config, _ := strings.Cut(l, " ")
		parts = append(parts, fmt.Sprintf(`{"class_name":%q,"config":{"name":"l%d",%s}}`, class, i, config))
	}
	return fmt.Appendf(nil, `{"class_name":"Sequential","config":{"name":"m","layers":[%s]}}`, strings.Join(parts, ","))
}

// The layer that each configuration means.
func TestLayers(t *testing.T) {
	for text, want := range map[string]nn.Layer{
		`Activation "activation":"relu"`:                                                                             nn.Activation{Func: nn.ReLU},
		`AveragePooling2D "pool_size":[2,3],"strides":null,"padding":"same"`:                                         nn.AveragePooling2D{Pool: [2]int{2, 3}, Padding: nn.Same},
		`BatchNormalization "axis":[3],"momentum":0.9,"scale":false,"fused":true`:                                    nn.BatchNormalization{Axis: 3, Momentum: 0.9, NoScale: true},
		`BatchNormalization "axis":-1,"renorm":false,"renorm_momentum":0.99`:                                         nn.BatchNormalization{Axis: -1},
		`Conv2D "filters":3,"kernel_size":2,"use_bias":false,"padding":"same"`:                                       nn.Conv2D{Filters: 3, Kernel: nn.K(2), NoBias: true, Padding: nn.Same},
		`Conv2D "filters":4,"kernel_size":[1,2],"dilation_rate":[2,2],"groups":2`:                                    nn.Conv2D{Filters: 4, Kernel: [2]int{1, 2}, Dilations: nn.K(2), Groups: 2},
		`Conv2D "filters":3,"kernel_size":1,"kernel_initializer":"he_normal"`:                                        nn.Conv2D{Filters: 3, Kernel: nn.K(1), KernelInitializer: nn.HeNormal{}},
		`Conv2D "filters":3,"kernel_size":1,"bias_initializer":{"class_name":"Constant","config":{"value":2}}`:       nn.Conv2D{Filters: 3, Kernel: nn.K(1), BiasInitializer: nn.Constant{Value: 2}},
		`Conv2D "filters":3,"kernel_size":1,"kernel_regularizer":{"class_name":"L1L2","config":{"l1":0.0,"l2":0.5}}`: nn.Conv2D{Filters: 3, Kernel: nn.K(1), KernelRegularizer: nn.L2(0.5)},
		`Conv2D "filters":3,"kernel_size":1,"kernel_initializer":{"class_name":"VarianceScaling","config":{"scale":2.0,"distribution":"normal","mode":"fan_in","seed":null}}`: nn.Conv2D{Filters: 3, Kernel: nn.K(1),
			KernelInitializer: nn.VarianceScaling{Scale: 2, Mode: nn.FanIn, Distribution: nn.TruncatedNormalDistribution}},
		`DepthwiseConv2D "kernel_size":[3,3],"depth_multiplier":2,"groups":1,"kernel_initializer":"zeros","depthwise_initializer":"ones"`: nn.DepthwiseConv2D{Kernel: nn.K(3), DepthMultiplier: 2, DepthwiseInitializer: nn.Ones{}},
		`Dropout "rate":0.25,"noise_shape":null,"seed":3`:                                nn.Dropout{Rate: 0.25},
		`Dropout "rate":0.25,"noise_shape":[null,1,1,1]`:                                 nn.Dropout{Rate: 0.25, NoiseShape: []int{0, 1, 1, 1}},
		`GlobalAveragePooling2D "keepdims":true`:                                         nn.GlobalAveragePooling2D{KeepDims: true},
		`MaxPooling2D "pool_size":3,"strides":2`:                                         nn.MaxPooling2D{Pool: nn.K(3), Strides: nn.K(2)},
		`Permute "dims":[3,1,2]`:                                                         nn.Permute{Dims: []int{3, 1, 2}},
		`ReLU "max_value":null,"negative_slope":0.0`:                                     nn.ReLULayer{},
		`ReLU "max_value":6.0,"negative_slope":0.5,"threshold":1.0`:                      nn.ReLULayer{MaxValue: 6, NegativeSlope: 0.5, Threshold: 1},
		`LeakyReLU "alpha":0.25`:                                                         nn.LeakyReLULayer{NegativeSlope: 0.25},
		`LeakyReLU "negative_slope":0.25`:                                                nn.LeakyReLULayer{NegativeSlope: 0.25},
		`ELU "alpha":2.0`:                                                                nn.ELULayer{Alpha: 2},
		`PReLU "shared_axes":[1,2],"alpha_initializer":{"class_name":"Ones"}`:            nn.PReLU{SharedAxes: []int{1, 2}, AlphaInitializer: nn.Ones{}},
		`Softmax "axis":-1`:                                                              nn.SoftmaxLayer{Axis: -1},
		`UpSampling2D "size":[2,3],"interpolation":"bilinear"`:                           nn.UpSampling2D{Size: [2]int{2, 3}, Interpolation: nn.Bilinear},
		`Cropping2D "cropping":[[1,2],[0,3]]`:                                            nn.Cropping2D{Cropping: [2][2]int{{1, 2}, {0, 3}}},
		`Conv2DTranspose "filters":3,"kernel_size":2,"output_padding":null,"groups":1`:   nn.Conv2DTranspose{Filters: 3, Kernel: nn.K(2)},
		`Conv2DTranspose "filters":3,"kernel_size":2,"strides":2,"output_padding":[1,1]`: nn.Conv2DTranspose{Filters: 3, Kernel: nn.K(2), Strides: nn.K(2), OutputPadding: []int{1, 1}},
		`Rescaling "scale":0.5,"offset":0.0`:                                             nn.Rescaling{Scale: 0.5},
		`Reshape "target_shape":[16,-1]`:                                                 nn.Reshape{Target: nn.Shape{16, -1}},
		`ZeroPadding2D "padding":2`:                                                      nn.ZeroPadding2D{Padding: nn.Border(2)},
		`ZeroPadding2D "padding":[1,2]`:                                                  nn.ZeroPadding2D{Padding: [2][2]int{{1, 1}, {2, 2}}},
		`ZeroPadding2D "padding":[[0,1],[2,3]]`:                                          nn.ZeroPadding2D{Padding: [2][2]int{{0, 1}, {2, 3}}},
		`ZeroPadding2D "padding":[[0,0],[0,0]]`:                                          nn.Activation{Func: nn.Linear},
		`Rescaling "scale":[1,2,3,4],"offset":[0,0,1,1]`:                                 nn.Rescaling{Scales: []float64{1, 2, 3, 4}, Offsets: []float64{0, 0, 1, 1}},
		`Normalization "axis":[-1],"mean":[[[1,2,3,4]]],"variance":[4.0],"invert":false`: nn.Normalization{Axis: -1, Mean: []float64{1, 2, 3, 4}, Variance: []float64{4}},
		`Normalization "axis":[-1],"mean":null,"variance":null`:                          nn.Normalization{Axis: -1},
		`LayerNormalization "axis":-1,"epsilon":1e-5,"rms_scaling":false`:                nn.LayerNormalization{Axis: []int{-1}, Epsilon: 1e-5},
		`LayerNormalization "axis":[2,3],"scale":false`:                                  nn.LayerNormalization{Axis: []int{2, 3}, NoScale: true},
		`GroupNormalization "axis":-1,"groups":2`:                                        nn.GroupNormalization{Axis: -1, Groups: 2},
		`Embedding "input_dim":7,"output_dim":3,"input_length":4,"mask_zero":false,"embeddings_initializer":{"class_name":"RandomUniform","config":{"minval":-0.5,"maxval":0.5,"seed":null}}`: nn.Embedding{InputDim: 7, OutputDim: 3,
			EmbeddingsInitializer: nn.RandomUniform{Min: -0.5, Max: 0.5}},
		`SpatialDropout2D "rate":0.5,"seed":null`:                     nn.SpatialDropout2D{Rate: 0.5},
		`GaussianNoise "stddev":0.5`:                                  nn.GaussianNoise{Stddev: 0.5},
		`Identity "x":null`:                                           nn.IdentityLayer{},
		`RandomFlip "mode":"vertical","seed":1,"rng_type":"stateful"`: nn.RandomFlip{Mode: nn.FlipVertical},
		`RandomBrightness "factor":[-0.25,0.5],"value_range":[0,1]`:   nn.RandomBrightness{Factor: [2]float64{-0.25, 0.5}, Range: [2]float64{0, 1}},
		`RandomBrightness "factor":0.25`:                              nn.RandomBrightness{Factor: [2]float64{-0.25, 0.25}},
		`RandomContrast "factor":0.25`:                                nn.RandomContrast{Factor: [2]float64{0.25, 0.25}},
		`RandomContrast "factor":[0,0.25],"value_range":[0,255]`:      nn.RandomContrast{Factor: [2]float64{0, 0.25}, Range: [2]float64{0, 255}},
		`RandomHue "factor":[0,0.1],"value_range":[0,255]`:            nn.Augmentation{Class: "RandomHue"},
		`RandomRotation "factor":[-0.1,0.25],"fill_mode":"reflect"`:   nn.RandomRotation{Factor: [2]float64{-0.1, 0.25}, FillMode: nn.FillReflect},
		`RandomRotation "factor":0.25,"interpolation":"nearest"`:      nn.RandomRotation{Factor: [2]float64{-0.25, 0.25}, Interpolation: nn.Nearest},
		`RandomZoom "height_factor":0.25,"width_factor":null`:         nn.RandomZoom{HeightFactor: [2]float64{-0.25, 0.25}},
		`RandomZoom "height_factor":[-0.5,0],"width_factor":0.25`:     nn.RandomZoom{HeightFactor: [2]float64{-0.5, 0}, WidthFactor: [2]float64{-0.25, 0.25}},
		`RandomZoom "height_factor":[-0.5,0],"width_factor":0`:        nn.RandomZoom{HeightFactor: [2]float64{-0.5, 0}, FixedWidth: true},
		`RandomTranslation "height_factor":[-0.5,0.5],"width_factor":0.25,"fill_mode":"constant","fill_value":3.0`: nn.RandomTranslation{
			HeightFactor: [2]float64{-0.5, 0.5}, WidthFactor: [2]float64{-0.25, 0.25}, FillMode: nn.FillConstant, FillValue: 3},
		`RandomShear "x_factor":[0,0.5],"y_factor":[0.0,0.0],"fill_mode":"wrap","seed":null`: nn.RandomShear{XFactor: [2]float64{0, 0.5}, FillMode: nn.FillWrap},
		`Resizing "height":3,"width":9,"crop_to_aspect_ratio":true`:                          nn.Resizing{Height: 3, Width: 9, CropToAspectRatio: true},
		`CenterCrop "height":30,"width":3`:                                                   nn.CenterCrop{Height: 30, Width: 3},
		`CenterCrop "height":3,"width":2`:                                                    nn.CenterCrop{Height: 3, Width: 2},
		`Resizing "height":3,"width":9,"interpolation":"nearest","crop_to_aspect_ratio":false,"pad_to_aspect_ratio":false,"fill_mode":"constant","fill_value":0.0,"antialias":false`: nn.Resizing{Height: 3, Width: 9, Interpolation: nn.Nearest},
		`Conv2D "filters":3,"kernel_size":1,"kernel_regularizer":{"class_name":"L1","config":{"l1":0.5}},"kernel_constraint":{"class_name":"MaxNorm","config":{"max_value":3,"axis":[0,1,2]}}`: nn.Conv2D{Filters: 3, Kernel: nn.K(1),
			KernelRegularizer: nn.L1(0.5), KernelConstraint: nn.MaxNorm{MaxValue: 3, Axis: []int{0, 1, 2}}},
		`Conv2D "filters":3,"kernel_size":1,"kernel_regularizer":{"class_name":"L1L2","config":{"l1":1.0,"l2":0.5}},"kernel_constraint":{"class_name":"UnitNorm","config":{"axis":0}}`: nn.Conv2D{Filters: 3, Kernel: nn.K(1),
			KernelRegularizer: nn.L1L2{L1: 1, L2: 0.5}, KernelConstraint: nn.UnitNorm{Axis: []int{0}}},
	} {
		t.Run(text, func(t *testing.T) {
			m, err := keras.Model(sequential(text))
			require.NoError(t, err)
			layers := m.Layers()
			require.Len(t, layers, 2)
			require.Equal(t, "l0", layers[1].Name)
			got := fmt.Sprintf("%#v", layers[1].Config)
			require.Equal(t, fmt.Sprintf("%#v", want), strings.Replace(got, `Name:"l0"`, `Name:""`, 1))
		})
	}
}

func TestRefusedLayers(t *testing.T) {
	for text, want := range map[string]string{
		`ReLU "max_value":0.0`:                                                      "max_value=0",
		`Activation "activation":"hard_sigmoid"`:                                    "hard_sigmoid",
		`Normalization "axis":null,"mean":null,"variance":null`:                     "adapted",
		`Rescaling "scale":0`:                                                       "scale=0",
		`RandomCrop "height":3,"width":3`:                                           "RandomCrop is not supported: in inference",
		`RandomFlip "mode":"diagonal"`:                                              `unknown Mode "diagonal"`,
		`RandomBrightness "factor":[1,2,3]`:                                         "a list of two numbers is",
		`Resizing "height":3,"width":3,"antialias":true`:                            "antialias=true",
		`Resizing "height":3,"width":3,"interpolation":"bicubic"`:                   `unknown interpolation "bicubic"`,
		`Resizing "height":3,"width":3,"pad_to_aspect_ratio":true,"fill_value":0.0`: "pad_to_aspect_ratio=true",
		`Resizing "height":0,"width":3`:                                             "height=0",
		`LSTM "units":3`:                                                            "layers of this class are not supported",
		`Conv2d "filters":3`:                                                        `did you mean "Conv2D"`,
		`Conv2D "filters":3,"kernel_size":1,"activation":"rellu"`:                   "rellu",
		`Dense "units":3,"kernel_initializer":"best"`:                               "GlorotUniform",
		`Dense "units":3,"quantization":"int4"`:                                     `quantization="int4"`,
		`Dense "units":2.5`:                                                         "units=2.5",
		`Dense "units":3,"dtype":{"class_name":"QuantizedDTypePolicy","config":{"name":"int8_from_float32"}}`: "quantization",
		`Conv2D "filters":3,"kernel_size":[1,2,3]`:                                                            "kernel_size=[1,2,3]",
		`Conv2D "filters":3,"kernel_size":99`:                                                                 "kernel 99×99",
		`Conv2D "filters":3,"kernel_size":1,"data_format":"rows_last"`:                                        "rows_last",
		`BatchNormalization "momentum":0.0`:                                                                   "momentum=0",
		`BatchNormalization "renorm":true`:                                                                    "renorm=true",
		`BatchNormalization "axis":[1,3]`:                                                                     "one axis",
		`DepthwiseConv2D "kernel_size":3,"groups":2`:                                                          "groups=2",
		`Flatten "data_format":7`:                                                                             "data_format=7",
		`Functional "layers":[]`:                                                                              "list of tensors",
		`Lambda "function":["code","4wEAAAAAAAAAAAAAAAEAAAA"]`:                                                "not supported",
	} {
		_, err := keras.Model(sequential(text))
		var own *keras.Error
		require.ErrorAs(t, err, &own, text)
		require.Contains(t, strings.ReplaceAll(err.Error(), "[null", ""), want, text)
		class, _, _ := strings.Cut(text, " ")
		if class != "Functional" {
			require.Contains(t, err.Error(), class+` "l0"`, text)
		}
	}
}

func TestOldSequential(t *testing.T) {
	first := `{"class_name":"Dense","config":{"name":"d","units":2,"batch_input_shape":[5,3]}}`
	for _, config := range []string{`[` + first + `]`, `{"name":"s","layers":[` + first + `]}`,
		`{"layers":[{"class_name":"Dense","config":{"name":"d","units":2}}],"build_input_shape":[5,3]}`} {
		m, err := keras.Model([]byte(`{"class_name":"Sequential","config":` + config + `}`))
		require.NoError(t, err)
		require.Equal(t, nn.Shape{3}, m.InputShape())
		require.Equal(t, 5, m.Batch())
		require.Equal(t, "d_input", m.Layers()[0].Name)
	}
}

// graphOf is a Keras 2 configuration of a graph: lines "class name inputs…".
func graphOf(input, output string, lines ...string) []byte {
	var layers []string
	for _, l := range lines {
		parts := strings.Fields(l)
		config := `"batch_input_shape":[null,4]`
		if parts[0] == "Dense" {
			config = `"units":4`
		}
		calls := "[]"
		if len(parts) > 2 {
			var refs []string
			for _, from := range parts[2:] {
				refs = append(refs, fmt.Sprintf(`["%s",0,0,{}]`, from))
			}
			calls = "[[" + strings.Join(refs, ",") + "]]"
		}
		layers = append(layers, fmt.Sprintf(`{"class_name":"%s","name":"%s","config":{"name":"%s",%s},"inbound_nodes":%s}`, parts[0], parts[1], parts[1], config, calls))
	}
	return fmt.Appendf(nil, `{"class_name":"Model","config":{"name":"g","layers":[%s],"input_layers":%s,"output_layers":%s}}`, strings.Join(layers, ","), input, output)
}

// twice calls the last layer of a graph of two twice.
func twice(config []byte) []byte {
	return bytes.Replace(config, []byte(`[["x",0,0,{}]]`), []byte(`[["x",0,0,{}]],[["x",0,0,{}]]`), 1)
}

func TestGraphs(t *testing.T) {
	in, end := `[["x",0,0]]`, `[["end",0,0]]`
	m, err := keras.Model(graphOf(in, end, "Add end b a", "Dense b a", "Dense a x", "InputLayer x", "Dense unused x"))
	require.NoError(t, err)
	require.Equal(t, []string{"x", "a", "b", "end"}, names(m))
	m, err = keras.Model(graphOf(`["x",0,0]`, `["conv1/conv",0,0]`, "InputLayer x", "Dense conv1/conv x"))
	require.NoError(t, err)
	require.Equal(t, []string{"x", "conv1_conv"}, names(m))
	for want, config := range map[string][]byte{
		"wait for it":       graphOf(in, end, "InputLayer x", "Dense a end", "Dense end a"),
		"waits for layers":  graphOf(in, end, "InputLayer x", "Dense end nobody"),
		"has no layer":      graphOf(in, end, "InputLayer x", "Dense a x"),
		"a name of its own": graphOf(in, end, "InputLayer x", "Dense end x", "Dense end x"),
		"not one of the":    graphOf(`[["x",0,0]]`, `[["end",0,0],["x",0,0]]`, "InputLayer x", "InputLayer z", "Add end x z"),
		"listed twice":      graphOf(`[["x",0,0],["x",0,0]]`, end, "InputLayer x", "Dense end x"),
		"expected tensors":  graphOf(`[]`, end, "InputLayer x", "Dense end x"),
		"result -1 of":      graphOf(in, `["end",0,-1]`, "InputLayer x", "Dense end x"),
		"has no inputs":     graphOf(in, end, "InputLayer x", "Dense end"),
		"expected a list":   graphOf(`{"a":3}`, end, "InputLayer x", "Dense end x"),
		"result 1 of":       []byte(strings.Replace(string(graphOf(in, end, "InputLayer x", "Dense end x")), `"x",0,0,{}`, `"x",0,1,{}`, 1)),
		"argument scale=2":  []byte(strings.Replace(string(graphOf(in, end, "InputLayer x", "Dense end x")), `"x",0,0,{}`, `"x",0,0,{"scale":2}`, 1)),
		"is called 2 times, and the result of call 2":  twice(graphOf(in, `[["end",2,0]]`, "InputLayer x", "Dense end x")),
		"is called 2 times, and the result of call -1": twice(graphOf(in, `[["end",-1,0]]`, "InputLayer x", "Dense end x")),
		"is called several times, and with numbers":    bytes.Replace(twice(graphOf(in, end, "InputLayer x", "Add end x")), []byte(`,[["x",0,0,{}]]]`), []byte(`,{"args":[1,2]}]`), 1),
		"use_causal_mask=True in some places":          bytes.Replace(twice(graphOf(in, end, "InputLayer x", "Attention end x")), []byte(`{}`), []byte(`{"use_causal_mask":true}`), 1),
		"open beside":                                  []byte(strings.Replace(string(graphOf(in, end, "InputLayer x", "Dense end x")), `[null,4]`, `[null,null]`, 1)),
		"models of this":                               []byte(`{"class_name":"MyModel","config":{}}`),
		"is not valid":                                 []byte(`[`),
		"nothing tells":                                []byte(`{"class_name":"Sequential","config":{"layers":[{"class_name":"Dense","config":{"units":3}}]}}`),
		"has no layers":                                []byte(emptyModel),
	} {
		_, err := keras.Model(config)
		require.ErrorContains(t, err, want)
		var own *keras.Error
		require.ErrorAs(t, err, &own)
	}
}

// x + 3 and its like, which Keras 3 records as operators with numbers.
func TestOperators(t *testing.T) {
	for text, want := range map[string]nn.Layer{
		`Add x 3`:       nn.Rescaling{Scale: 1, Offset: 3},
		`Add 3 x`:       nn.Rescaling{Scale: 1, Offset: 3},
		`Subtract x 3`:  nn.Rescaling{Scale: 1, Offset: -3},
		`Subtract 3 x`:  nn.Rescaling{Scale: -1, Offset: 3},
		`Multiply x 3`:  nn.Rescaling{Scale: 3},
		`Divide x 4`:    nn.Rescaling{Scale: 0.25},
		`Divide 4 x`:    nil,
		`Divide x 0`:    nil,
		`Multiply x 0`:  nil,
		`Maximum x 1`:   nil,
		`Add 1 2`:       nil,
		`Add x 2 3`:     nil,
		`Add x "two"`:   nil,
		`Add x [1,2]`:   nil,
		`Average x 0.5`: nil,
	} {
		parts := strings.Fields(text)
		args := strings.Join(parts[1:], ",")
		args = strings.Replace(args, "x", `{"class_name":"__keras_tensor__","config":{"keras_history":["x",0,0]}}`, 1)
		m, err := keras.Model(fmt.Appendf(nil, `{"class_name":"Functional","config":{"name":"m","layers":[
			{"class_name":"InputLayer","name":"x","config":{"batch_shape":[null,4]},"inbound_nodes":[]},
			{"class_name":%q,"name":"y","config":{"name":"y"},"inbound_nodes":[{"args":[%s],"kwargs":{}}]}],
			"input_layers":["x",0,0],"output_layers":["y",0,0]}}`, parts[0], args))
		if want == nil {
			var own *keras.Error
			require.ErrorAs(t, err, &own, text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, fmt.Sprintf("%#v", want), strings.Replace(fmt.Sprintf("%#v", m.Layers()[1].Config), `Name:"y"`, `Name:""`, 1), text)
	}
}

// Keras 3 records training=True of layers that augment, and minds it of others.
func TestTrainingArgument(t *testing.T) {
	for class, config := range map[string]string{"RandomFlip": `"mode":"vertical"`, "RandomZoom": `"height_factor":0.1`, "Dropout": `"rate":0.5`} {
		for _, training := range []string{"true", "false", "null"} {
			_, err := keras.Model(fmt.Appendf(nil, `{"class_name":"Functional","config":{"name":"m","layers":[
				{"class_name":"InputLayer","name":"x","config":{"batch_shape":[null,4,4,1]},"inbound_nodes":[]},
				{"class_name":%q,"name":"y","config":{"name":"y",%s},"inbound_nodes":[{"args":[{"class_name":"__keras_tensor__","config":{"keras_history":["x",0,0]}}],
				"kwargs":{"training":%s}}]}],"input_layers":["x",0,0],"output_layers":["y",0,0]}}`, class, config, training))
			if class == "Dropout" && training == "true" {
				require.ErrorContains(t, err, "training=true, which is not supported")
				continue
			}
			require.NoError(t, err, "%s %s", class, training)
		}
	}
}

func names(m *nn.Model) []string {
	var out []string
	for _, l := range m.Layers() {
		out = append(out, l.Name)
	}
	return out
}

func TestFrozen(t *testing.T) {
	m, err := open(t, "nested.keras").Model()
	require.NoError(t, err)
	_, trainable, fixed := m.CountParams()
	require.Equal(t, 48*2+2, trainable)
	require.Equal(t, 3*9+3+4*3, fixed)
	require.Contains(t, keras.Classes(), "Conv2D")
}

// A model of images of any size gets the size from the model around it, or from the caller.
func TestOpenInput(t *testing.T) {
	inner := `{"name":"base","layers":[{"class_name":"InputLayer","config":{"name":"i","batch_shape":[null,null,null,4]},"name":"i","inbound_nodes":[]},
		{"class_name":"Conv2D","name":"c","config":{"name":"c","filters":2,"kernel_size":3},"inbound_nodes":[[["i",0,0,{}]]]}],
		"input_layers":["i",0,0],"output_layers":["c",0,0]}`
	m, err := keras.Model(sequential("Functional " + inner[1:len(inner)-1]))
	require.NoError(t, err)
	require.Equal(t, nn.Shape{6, 6, 2}, m.OutputShape())
	alone := []byte(`{"class_name":"Functional","config":` + inner + `}`)
	_, err = keras.Model(alone)
	require.ErrorContains(t, err, "Options")
	m, err = keras.ModelWith(alone, keras.Options{Input: nn.Shape{5, 9, 4}})
	require.NoError(t, err)
	require.Equal(t, nn.Shape{3, 7, 2}, m.OutputShape())
	_, err = keras.ModelWith(alone, keras.Options{Input: nn.Shape{5, 9}})
	require.ErrorContains(t, err, "Options")
}

// What models of several inputs and outputs are not to be, in others.
func TestNestedEnds(t *testing.T) {
	inner := `{"name":"pair","layers":[{"class_name":"InputLayer","config":{"name":"i","batch_shape":[null,8,8,4]},"name":"i","inbound_nodes":[]},
		{"class_name":"InputLayer","config":{"name":"j","batch_shape":[null,8,8,4]},"name":"j","inbound_nodes":[]}],"input_layers":%s,"output_layers":[["i",0,0],["j",0,0]]}`
	nested := func(inputs string) string {
		return "Functional " + fmt.Sprintf(inner, inputs)[1:len(fmt.Sprintf(inner, inputs))-1]
	}
	for text, config := range map[string][]byte{
		"has 2 inputs and is called with 1 tensors":                sequential(nested(`[["i",0,0],["j",0,0]]`)),
		"depends on \"j\", which is not one of the model's inputs": sequential(nested(`["i",0,0]`)),
	} {
		_, err := keras.Model(config)
		require.ErrorContains(t, err, text)
	}
	one := strings.Replace(nested(`["i",0,0]`), `["j",0,0]]`, `["i",0,0]]`, 1)
	_, err := keras.Model(sequential(one))
	require.ErrorContains(t, err, "has 2 results; layers of a Sequential model have one")
}

// Of several inputs each may be open.
func TestOpenInputs(t *testing.T) {
	config := []byte(strings.ReplaceAll(string(graphOf(`[["x",0,0],["z",0,0]]`, `[["a",0,0],["b",0,0]]`, "InputLayer x", "InputLayer z", "Dense a x", "Dense b z")), "[null,4]", "[null,null]"))
	m, err := keras.ModelWith(config, keras.Options{Input: nn.Shape{3}, Inputs: map[string]nn.Shape{"z": {5}}})
	require.NoError(t, err)
	require.Equal(t, []nn.Shape{{3}, {5}}, []nn.Shape{m.Inputs()[0].Shape, m.Inputs()[1].Shape})
	_, err = keras.ModelWith(config, keras.Options{Inputs: map[string]nn.Shape{"z": {5}}})
	require.ErrorContains(t, err, "Options")
}

// Dropout of whole samples, as in EfficientNet.
func TestSampleDropout(t *testing.T) {
	m, err := keras.Model(sequential(`Dropout "rate":0.5,"noise_shape":[null,1,1,1],"seed":null`))
	require.NoError(t, err)
	g := gorgonia.NewGraph()
	ones := make([]float32, 64*m.InputShape().Size())
	for i := range ones {
		ones[i] = 1
	}
	x := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(64, 8, 8, 4), gorgonia.WithName("x"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(64, 8, 8, 4), tensor.WithBacking(ones))))
	net, err := m.Build(g, nn.BuildConfig{Input: x, Training: true, Seed: 3})
	require.NoError(t, err)
	e, err := cpu.New(cpu.Config{Threads: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	require.NoError(t, gorgonia.Let(net.Step, 1))
	machine, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(net.Output))
	require.NoError(t, err)
	defer func() { require.NoError(t, machine.Close()) }()
	require.NoError(t, machine.RunAll())
	v, err := machine.Value(net.Output)
	require.NoError(t, err)
	y, kept := v.Data().([]float32), 0
	for i := range 64 {
		sample := y[i*256 : (i+1)*256]
		for _, v := range sample {
			require.Equal(t, sample[0], v)
		}
		if sample[0] != 0 {
			require.Equal(t, float32(2), sample[0])
			kept++
		}
	}
	require.InDelta(t, 32, kept, 16)
}

// Indices are integers where Keras's input is of them.
func TestIndices(t *testing.T) {
	for dtype, want := range map[string]tensor.Dtype{"int32": tensor.Int, "float32": {}} {
		m, err := keras.Model(fmt.Appendf(nil, `{"class_name":"Sequential","config":{"layers":[
			{"class_name":"InputLayer","config":{"name":"i","batch_shape":[null,5],"dtype":%q}},
			{"class_name":"Embedding","config":{"name":"e","input_dim":7,"output_dim":3}}]}}`, dtype))
		require.NoError(t, err)
		require.Equal(t, nn.Shape{5, 3}, m.OutputShape())
		require.Equal(t, want, m.Layers()[0].Config.(nn.Input).Dtype)
	}
}
