package keras

import (
	"encoding/json"

	"github.com/stheno-ml/stheno/nn"
)

// sequential chains the layers.
func (b *builder) sequential(o *object) (inputs, outputs []*nn.Tensor, err error) {
	var input, output *nn.Tensor
	for i := range b.config.Layers {
		l := &b.config.Layers[i]
		if output == nil {
			in, own, err := b.firstInput(o, l)
			if err != nil {
				return nil, nil, l.fill(err)
			}
			if len(b.given) > 0 {
				b.shapes[in.Name] = b.given[0]
			}
			if input, err = b.input(in); err != nil {
				return nil, nil, in.fill(err)
			}
			if output = input; own {
				continue
			}
		}
		results, err := b.add(l, []*nn.Tensor{output})
		if err != nil {
			return nil, nil, l.fill(err)
		}
		if len(results) != 1 {
			return nil, nil, l.fill(wrong("", "has %d results; layers of a Sequential model have one", len(results)))
		}
		output = results[0]
	}
	if output == nil {
		return nil, nil, wrong("", "has no layers")
	}
	return []*nn.Tensor{input}, []*nn.Tensor{output}, nil
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
	return &object{Class: "InputLayer", Name: firstInputName(first), Config: config}, false, nil
}

// firstInputName is the name of the input in front of a Sequential model's first layer.
func firstInputName(first *object) string { return first.Name + "_input" }

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
