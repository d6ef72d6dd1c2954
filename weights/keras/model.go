package keras

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
)

// Model makes a model of a configuration, as model.to_json() of Keras 2 and 3, config.json of a .keras file, and the attribute
// model_config of a .h5 file hold it. Its weights have no values yet. Mistakes are *[Error].
func Model(config []byte) (*nn.Model, error) { return ModelWith(config, Options{}) }

// Options say what a configuration leaves open.
type Options struct {
	// Input is the shape of a sample, for models that take images of any size: Input((None, None, 3)) in Keras.
	Input nn.Shape
	// Inputs are those of models of several inputs, by the names of their input layers; Input is that of all others.
	Inputs map[string]nn.Shape
}

// ModelWith is [Model] with options.
func ModelWith(config []byte, opt Options) (*nn.Model, error) {
	var o object
	if err := json.Unmarshal(config, &o); err != nil {
		return nil, &Error{Problem: fmt.Sprintf("the model's configuration is not valid: %v", err), Err: err}
	}
	return buildModel(&o, scope{options: opt})
}

// Model makes the model that the file describes, with the file's weights.
func (f *File) Model() (*nn.Model, error) { return f.ModelWith(Options{}) }

// ModelWith is Model with options.
func (f *File) ModelWith(opt Options) (*nn.Model, error) {
	if f.Config == nil {
		return nil, &Error{Path: f.Path, Problem: "holds weights only, no model",
			Remedy: "describe the model yourself and use File.Assign, or save it whole in Keras: model.save(\"….keras\")"}
	}
	m, err := f.model(opt)
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			e.Path = f.Path
		}
		return nil, err
	}
	return m, f.Assign(m)
}

// model makes the model without its weights, except those that are numbers of a layer here.
func (f *File) model(opt Options) (*nn.Model, error) {
	o, err := f.object()
	if err != nil {
		return nil, err
	}
	return buildModel(o, scope{file: f, options: opt})
}

// maxLayers bounds the layers of a model; the largest of keras.applications have a thousand.
const maxLayers = 20_000

// scope is where a model is built: by itself, or in another one.
type scope struct {
	file    *File      // with the weights, or nil
	prefix  string     // the model's own path in Keras 3's layout
	options Options    // of the outermost model
	given   []nn.Shape // of the samples of a model's inputs in another one
	depth   int        // models around it
	taken   embeddings // of all models
}

// builder makes a model of package nn.
type builder struct {
	nn     *nn.Builder
	config *modelConfig
	scope
	paths  map[string]string     // of layers, in Keras 3's own layout
	done   map[spot][]*nn.Tensor // results of layers
	shared map[string]nn.Layer   // layers that are called several times
	shapes map[string]nn.Shape   // of samples of the inputs, where the model around it knows them
	whole  map[string]bool       // inputs that Embedding layers depend on
	frozen []string
	images nn.DataFormat // of the layers that say one
	old    bool          // Keras 2 wrote the configuration
}

// buildModel makes a Sequential or Functional model.
func buildModel(o *object, in scope) (*nn.Model, error) {
	if !modelClasses[o.Class] {
		return nil, o.fill(wrong("supported are Sequential and Functional models", "models of this class are not supported"))
	}
	if in.depth > deepest {
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
	if in.taken == nil {
		in.taken = embeddings{}
	}
	b := &builder{nn: nn.NewBuilder(layerName(o.Name)), config: c, scope: in, paths: c.paths(in.prefix), done: map[spot][]*nn.Tensor{}, shared: map[string]nn.Layer{}, shapes: map[string]nn.Shape{}, whole: in.taken.needs(c, o.Class, 0)}
	var inputs, outputs []*nn.Tensor
	if o.Class == "Sequential" {
		b.nn.Sequential = true
		inputs, outputs, err = b.sequential(o)
	} else {
		inputs, outputs, err = b.functional()
	}
	if err != nil {
		return nil, o.fill(err)
	}
	b.nn.DataFormat = b.images
	var m *nn.Model
	if len(inputs) == 1 && len(outputs) == 1 {
		m, err = b.nn.Model(inputs[0], outputs[0])
	} else {
		m, err = b.nn.Functional(inputs, outputs)
	}
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
	batch, sample, err := parseShape(raw, b.sample(o.Name))
	if err != nil {
		return nil, err
	}
	in := nn.Input{Shape: sample, Batch: batch, Name: layerName(o.Name)}
	if dtype := strings.Trim(string(args["dtype"]), `"u`); strings.HasPrefix(dtype, "int") && b.whole[o.Name] {
		in.Dtype = tensor.Int // else integers, such as images of bytes, become floats in the first layer in Keras too
	}
	t := b.nn.Add(in)
	return t, fromNN(b.nn.Err())
}

// sample is the shape of an input's samples as far as it is known from outside, or nil.
func (b *builder) sample(input string) nn.Shape {
	if shape := b.shapes[input]; b.depth > 0 {
		return shape
	}
	if shape, ok := b.options.Inputs[input]; ok {
		return shape
	}
	return b.options.Input
}

// add adds a layer behind its inputs and returns its results.
func (b *builder) add(o *object, inputs []*nn.Tensor) ([]*nn.Tensor, error) {
	l, err := b.make(o, inputs)
	if err != nil {
		return nil, err
	}
	results := b.nn.AddAll(l, inputs...)
	return results, fromNN(b.nn.Err())
}

// make makes a layer for its first inputs.
func (b *builder) make(o *object, inputs []*nn.Tensor) (nn.Layer, error) {
	if err := b.settings(o); err != nil {
		return nil, err
	}
	if err := b.checkOld(o); err != nil {
		return nil, err
	}
	var l nn.Layer
	var err error
	if modelClasses[o.Class] {
		in := scope{file: b.file, prefix: b.paths[o.Name] + "/", depth: b.depth + 1, taken: b.taken}
		for _, x := range inputs {
			in.given = append(in.given, x.Shape())
		}
		l, err = buildModel(o, in)
	} else if err = b.adapt(o); err == nil {
		l, err = o.layer()
	}
	if n, ok := l.(nn.BatchNormalization); ok && err == nil && !b.old { // how its running variance moves in training
		n.BiasedMovingVariance = true
		l = n
	}
	return l, err
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
