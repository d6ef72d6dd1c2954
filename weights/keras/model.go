package keras

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/stheno-ml/stheno/nn"
)

// Model makes a model of a configuration, as model.to_json() of Keras 2 and 3, config.json of a .keras file, and the attribute
// model_config of a .h5 file hold it. Its weights have no values yet. Mistakes are *[Error].
func Model(config []byte) (*nn.Model, error) {
	var o object
	if err := json.Unmarshal(config, &o); err != nil {
		return nil, &Error{Problem: fmt.Sprintf("the model's configuration is not valid: %v", err), Err: err}
	}
	return buildModel(&o, nil, "", 0)
}

// Model makes the model that the file describes, with the file's weights.
func (f *File) Model() (*nn.Model, error) {
	if f.Config == nil {
		return nil, &Error{Path: f.Path, Problem: "holds weights only, no model",
			Remedy: "describe the model yourself and use File.Assign, or save it whole in Keras: model.save(\"….keras\")"}
	}
	m, err := f.model()
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			e.Path = f.Path
		}
		return nil, err
	}
	return m, f.Assign(m)
}

// model makes the model without its weights, except those that are numbers of a layer here.
func (f *File) model() (*nn.Model, error) {
	o, err := f.object()
	if err != nil {
		return nil, err
	}
	return buildModel(o, f, "", 0)
}

// maxLayers bounds the layers of a model; the largest of keras.applications have a thousand.
const maxLayers = 20_000

// builder makes a model of package nn.
type builder struct {
	nn     *nn.Builder
	config *modelConfig
	file   *File             // with the weights, or nil
	paths  map[string]string // of layers, in Keras 3's own layout
	depth  int
	done   map[string]*nn.Tensor
	frozen []string
	images nn.DataFormat // of the layers that say one
	old    bool          // Keras 2 wrote the configuration
}

// buildModel makes a Sequential or Functional model; file is nil where there are no weights, prefix the model's own path in it.
func buildModel(o *object, file *File, prefix string, depth int) (*nn.Model, error) {
	if !modelClasses[o.Class] {
		return nil, o.fill(wrong("supported are Sequential and Functional models", "models of this class are not supported"))
	}
	if depth > deepest {
		return nil, o.fill(wrong("", "models lie in more than %d models", deepest))
	}
	c, err := parseModel(o)
	if err != nil {
		return nil, o.fill(err)
	}
	if len(c.Layers) > maxLayers {
		return nil, o.fill(wrong("", "has %d layers, more than %d", len(c.Layers), maxLayers))
	}
	o.Name = cmp.Or(c.Name, o.Name)
	b := &builder{nn: nn.NewBuilder(layerName(o.Name)), config: c, file: file, paths: c.paths(prefix), depth: depth,
		done: map[string]*nn.Tensor{}}
	var input, output *nn.Tensor
	if o.Class == "Sequential" {
		input, output, err = b.sequential(o)
	} else {
		input, output, err = b.functional()
	}
	if err != nil {
		return nil, o.fill(err)
	}
	b.nn.DataFormat = b.images
	m, err := b.nn.Model(input, output)
	if err != nil {
		return nil, o.fill(fromNN(err))
	}
	used := map[string]bool{}
	for _, l := range m.Layers() {
		used[l.Name] = true
	}
	for _, name := range b.frozen {
		if !used[name] {
			continue // it does not lead to the output
		}
		if err := m.SetTrainable(false, escape(name)); err != nil {
			return nil, o.fill(fromNN(err))
		}
	}
	return m, nil
}

// escape makes a pattern of [path.Match] that matches a name alone.
func escape(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// fromNN makes a mistake that package nn found one of ours: the line of code that it names would be one of this package.
func fromNN(err error) error {
	e, ok := errors.AsType[*nn.Error](err)
	if !ok {
		return err
	}
	c := *e
	c.Site = ""
	return &Error{Class: e.Class, Layer: e.Layer, Err: err, Remedy: strings.Trim(e.Inputs+"; "+e.Remedy, "; "), Problem: e.Problem}
}

// sequential chains the layers.
func (b *builder) sequential(o *object) (input, output *nn.Tensor, err error) {
	for i := range b.config.Layers {
		l := &b.config.Layers[i]
		if output == nil {
			in, own, err := b.firstInput(o, l)
			if err != nil {
				return nil, nil, l.fill(err)
			}
			if input, err = b.input(in); err != nil {
				return nil, nil, in.fill(err)
			}
			if output = input; own {
				continue
			}
		}
		if output, err = b.add(l, []*nn.Tensor{output}); err != nil {
			return nil, nil, l.fill(err)
		}
	}
	if output == nil {
		return nil, nil, wrong("", "has no layers")
	}
	return input, output, nil
}

// firstInput is the input layer of a Sequential model; own says that it is the first layer, and not what that layer, or the
// model, says about its input.
func (b *builder) firstInput(o, first *object) (in *object, own bool, err error) {
	if first.Class == "InputLayer" {
		return first, true, nil
	}
	args, err := first.fields()
	if err != nil {
		return nil, false, err
	}
	shape := args["batch_input_shape"]
	for _, other := range []json.RawMessage{args["batch_shape"], b.config.BuildShape, o.Build.InputShape} {
		if len(shape) == 0 || string(shape) == "null" {
			shape = other
		}
	}
	if modelClasses[first.Class] && (len(shape) == 0 || string(shape) == "null") {
		if shape, err = innerShape(first, 0); err != nil {
			return nil, false, err
		}
	}
	if len(shape) == 0 || string(shape) == "null" {
		return nil, false, wrong("in Keras, build the model (give it an Input, or call it once) before it is saved", "is the first layer, and nothing tells the shape of the model's input")
	}
	config, err := json.Marshal(map[string]json.RawMessage{"batch_input_shape": shape})
	if err != nil {
		return nil, false, wrong("", "its shape is not valid: %v", err)
	}
	return &object{Class: "InputLayer", Name: first.Name + "_input", Config: config}, false, nil
}

// innerShape is the shape of the input of a nested model that begins a Sequential one.
func innerShape(o *object, depth int) (json.RawMessage, error) {
	c, err := parseModel(o)
	if err != nil || depth > deepest {
		return nil, err
	}
	for i := range c.Layers {
		l := &c.Layers[i]
		args, err := l.fields()
		if err != nil {
			return nil, err
		}
		for _, key := range []string{"batch_shape", "batch_input_shape"} {
			if shape := args[key]; len(shape) > 0 {
				return shape, nil
			}
		}
		if modelClasses[l.Class] {
			return innerShape(l, depth+1)
		}
	}
	return nil, nil
}

// input adds an input layer.
func (b *builder) input(o *object) (*nn.Tensor, error) {
	args, err := o.fields()
	if err != nil {
		return nil, err
	}
	raw := args["batch_shape"]
	if len(raw) == 0 {
		raw, b.old = args["batch_input_shape"], true
	}
	batch, sample, err := parseShape(raw)
	if err != nil {
		return nil, err
	}
	t := b.nn.Add(nn.Input{Shape: sample, Batch: batch, Name: layerName(o.Name)})
	return t, fromNN(b.nn.Err())
}

// add adds a layer behind its inputs.
func (b *builder) add(o *object, inputs []*nn.Tensor) (*nn.Tensor, error) {
	if err := b.settings(o); err != nil {
		return nil, err
	}
	if err := b.checkOld(o); err != nil {
		return nil, err
	}
	var l nn.Layer
	var err error
	if modelClasses[o.Class] {
		l, err = buildModel(o, b.file, b.paths[o.Name]+"/", b.depth+1)
	} else if err = b.adapt(o); err == nil {
		l, err = o.layer()
	}
	if err != nil {
		return nil, err
	}
	t := b.nn.Add(l, inputs...)
	return t, fromNN(b.nn.Err())
}

// settings deals with the arguments that every layer has: the order of axes, the type, and whether it is frozen.
func (b *builder) settings(o *object) error {
	args, err := o.fields()
	if err != nil {
		return err
	}
	b.nn.DataFormat = nn.ChannelsLast
	switch format := string(args["data_format"]); format {
	case "", "null", `"channels_last"`:
	case `"channels_first"`:
		b.nn.DataFormat = nn.ChannelsFirst
		b.images = nn.ChannelsFirst
	default:
		return wrong("", "data_format=%s is not supported", clip(args["data_format"]))
	}
	if string(args["trainable"]) == "false" {
		b.frozen = append(b.frozen, layerName(o.Name))
	}
	return checkDType(args["dtype"])
}

// checkDType refuses quantized layers; all other policies tell how Keras rounds, and are left out.
func checkDType(raw json.RawMessage) error {
	var name string
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	if json.Unmarshal(raw, &name) != nil {
		var policy struct {
			Class  string `json:"class_name"`
			Config struct {
				Name string `json:"name"`
			} `json:"config"`
		}
		if err := json.Unmarshal(raw, &policy); err != nil {
			return wrong("", "dtype=%s is not supported", clip(raw))
		}
		name = policy.Config.Name
		if policy.Class == "DTypePolicy" || policy.Class == "Policy" {
			name = strings.TrimPrefix(name, "mixed_")
		}
	}
	switch strings.TrimPrefix(name, "mixed_") {
	case "float32", "float64", "float16", "bfloat16", "":
		return nil
	}
	return wrong("save the model without quantization", "dtype=%s is not supported", clip(raw))
}

// checkOld refuses what had the same name and another meaning in Keras 2.
func (b *builder) checkOld(o *object) error {
	if !b.old {
		return nil
	}
	args, err := o.fields()
	if err == nil && string(args["activation"]) == `"hard_sigmoid"` {
		err = wrong("", "activation=\"hard_sigmoid\" of Keras 2, clip(0.2·x + 0.5), is not supported; Keras 3's, clip(x/6 + 0.5), is")
	}
	return err
}
