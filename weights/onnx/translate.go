package onnx

import (
	"fmt"
	"slices"

	"github.com/stheno-ml/stheno/nn"
)

// translate makes a layer of package nn of result k of a node, where there is one of the same meaning. The node has been built before:
// its attributes are sound.
func (t *translation) translate(n *nodeProto, k int) (done bool, err error) {
	f := translators[n.fullType()]
	if f == nil || k != 0 || slices.ContainsFunc(n.needs(), func(in string) bool { return t.inner[in] }) {
		return false, nil
	}
	c := &call{node: n, version: t.g.Opset, folder: t.g.folder, read: map[string]bool{}, out: make([]*value, len(n.outputs))}
	for _, in := range n.inputs {
		c.in = append(c.in, t.probes[0].values[in]) // nil for one that is left out
	}
	return f(t, c, n), c.err
}

// translators say whether they made a layer.
var translators = map[string]func(t *translation, c *call, n *nodeProto) bool{
	"Relu":               relu,
	"Softmax":            softmaxLayer,
	"Dropout":            dropoutLayer,
	"Add":                addLayer,
	"Sum":                addLayer,
	"BatchNormalization": batchNormLayer,
	"Conv":               convLayer,
	"Gemm":               gemmLayer,
	"MaxPool":            maxPoolLayer,
	"AveragePool":        averagePoolLayer,
	"Gather":             embeddingLayer,
}

// again adds one more place of the layer that a node became which does the same with the same weights: those of key. It says whether there is one.
func (t *translation) again(key, out string, in ...string) bool {
	l := t.shared[key]
	if l != nil {
		t.add(l, out, in...)
	}
	return l != nil
}

// addFirst adds a layer with weights, which nodes of the same key share.
func (t *translation) addFirst(key string, l nn.Layer, out string, in ...string) {
	t.shared[key] = t.b.Share(l)
	t.add(t.shared[key], out, in...)
}

func (t *translation) layerName(n *nodeProto) string { return t.name(label(n), "layer") }

func relu(t *translation, _ *call, n *nodeProto) bool {
	t.add(nn.Activation{Func: nn.ReLU, Name: t.layerName(n)}, n.outputs[0], n.inputs[0])
	return true
}

func softmaxLayer(t *translation, c *call, n *nodeProto) bool {
	if s := c.shape(0); len(s) != 2 || c.axis(c.attrInt("axis", 1), 2) != 1 {
		return false
	}
	t.add(nn.Activation{Func: nn.Softmax, Name: t.layerName(n)}, n.outputs[0], n.inputs[0])
	return true
}

func dropoutLayer(t *translation, c *call, n *nodeProto) bool {
	rate := c.attrFloat("ratio", 0.5)
	if c.has(1) {
		rate = c.number(1)
	}
	if !(rate >= 0 && rate < 1) {
		return false
	}
	t.add(nn.Dropout{Rate: rate, Name: t.layerName(n)}, n.outputs[0], n.inputs[0])
	return true
}

func addLayer(t *translation, c *call, n *nodeProto) bool {
	for i, in := range n.inputs {
		if !t.alive[in] || !slices.Equal(c.shape(i), c.shape(0)) {
			return false
		}
	}
	if len(n.inputs) < 2 {
		return false
	}
	t.add(nn.Add{Name: t.layerName(n)}, n.outputs[0], n.inputs...)
	return true
}

// areStored says whether inputs are weights of the file.
func areStored(c *call, from, to int) bool {
	for i := from; i < to; i++ {
		if !c.has(i) || c.in[i].stored == nil || !c.in[i].stored.elem.isFloat() {
			return false
		}
	}
	return true
}

// keep says what a weight's values are.
func (t *translation) keep(layer, weight string, c *call, i int, change func(*array) *array) {
	stored, folder := c.in[i].stored, c.folder
	t.values[layer+"/"+weight] = func() (*array, error) {
		a, err := stored.array(folder)
		if err != nil || change == nil {
			return a, err
		}
		return change(a), nil
	}
}

func batchNormLayer(t *translation, c *call, n *nodeProto) bool {
	epsilon, momentum := c.attrFloat("epsilon", 1e-5), c.attrFloat("momentum", 0.9)
	if !areStored(c, 1, 5) || epsilon == 0 || !(momentum > 0 && momentum <= 1) {
		return false
	}
	key := fmt.Sprintf("BatchNormalization %v %v %q", epsilon, momentum, n.inputs[1:5])
	if t.again(key, n.outputs[0], n.inputs[0]) {
		return true
	}
	name := t.layerName(n)
	for i, weight := range []string{"gamma", "beta", "moving_mean", "moving_variance"} {
		t.keep(name, weight, c, i+1, nil)
	}
	t.addFirst(key, nn.BatchNormalization{Axis: 1, Epsilon: epsilon, Momentum: momentum, Name: name}, n.outputs[0], n.inputs[0])
	return true
}

// embeddingLayer is a Gather of rows of a stored matrix.
func embeddingLayer(t *translation, c *call, n *nodeProto) bool {
	if s := c.shape(0); len(s) != 2 || c.axis(c.attrInt("axis", 0), 2) != 0 || !areStored(c, 0, 1) || !isIndices(c.in[1].node) {
		return false
	}
	key := fmt.Sprintf("Embedding %q", n.inputs[0])
	if t.again(key, n.outputs[0], n.inputs[1]) {
		return true
	}
	name := t.layerName(n)
	t.keep(name, "embeddings", c, 0, nil)
	t.addFirst(key, nn.Embedding{InputDim: c.shape(0)[0], OutputDim: c.shape(0)[1], Name: name}, n.outputs[0], n.inputs[1])
	return true
}

// padding is the Padding of nn that means what w says, if there is one.
func (w window) keras() (nn.Padding, bool) {
	if w.before == [2]int{} && w.after == [2]int{} {
		return nn.Valid, true
	}
	for i, n := range w.in {
		out := (n + w.strides[i] - 1) / w.strides[i]
		before, after := split(max((out-1)*w.strides[i]+w.reach(i)-n, 0), false)
		if before != w.before[i] || after != w.after[i] {
			return "", false
		}
	}
	return nn.Same, true
}

func convLayer(t *translation, c *call, n *nodeProto) bool {
	groups := c.attrInt("group", 1)
	if len(c.shape(0)) != 4 || !areStored(c, 1, len(n.inputs)) {
		return false
	}
	k := c.shape(1)
	w := c.window(c.shape(0), k[2:])
	padding, same := w.keras()
	if !same {
		padding = nn.Valid
	}
	bias := c.has(2)
	l := nn.Conv2D{Filters: k[0], Kernel: w.kernel, Strides: w.strides, Dilations: w.dilations, Groups: groups, Padding: padding, NoBias: !bias}
	key := fmt.Sprintf("%#v %q", l, n.inputs[1:])
	before := t.shared[key]
	name, x := before.Name(), n.inputs[0]
	if before == nil {
		name = t.layerName(n)
	}
	if !same {
		padded := n.outputs[0] + "/padded"
		t.add(nn.ZeroPadding2D{Padding: [2][2]int{{w.before[0], w.after[0]}, {w.before[1], w.after[1]}}, Name: t.name(name+"_pad", "pad")}, padded, x)
		x = padded
	}
	if t.again(key, n.outputs[0], x) {
		return true
	}
	t.keep(name, "kernel", c, 1, func(a *array) *array { return transpose(a, []int{2, 3, 1, 0}) })
	if bias {
		t.keep(name, "bias", c, 2, nil)
	}
	l.Name = name
	t.addFirst(key, l, n.outputs[0], x)
	return true
}

func gemmLayer(t *translation, c *call, n *nodeProto) bool {
	transB := c.attrFlag("transB", false)
	if c.attrFloat("alpha", 1) != 1 || c.attrFloat("beta", 1) != 1 || c.attrFlag("transA", false) || !areStored(c, 1, len(n.inputs)) {
		return false
	}
	units := c.shape(1)[1]
	var change func(*array) *array
	if transB {
		units, change = c.shape(1)[0], func(a *array) *array { return transpose(a, []int{1, 0}) }
	}
	bias := c.has(2)
	if bias && !slices.Equal(c.shape(2), []int{units}) {
		return false
	}
	key := fmt.Sprintf("Dense %v %q", transB, n.inputs[1:])
	if t.again(key, n.outputs[0], n.inputs[0]) {
		return true
	}
	name := t.layerName(n)
	t.keep(name, "kernel", c, 1, change)
	if bias {
		t.keep(name, "bias", c, 2, nil)
	}
	t.addFirst(key, nn.Dense{Units: units, NoBias: !bias, Name: name}, n.outputs[0], n.inputs[0])
	return true
}

// poolWindow is the window of a pooling that nn has, too.
func poolWindow(c *call) (w window, padding nn.Padding, ok bool) {
	if len(c.shape(0)) != 4 || c.attrFlag("ceil_mode", false) {
		return w, "", false
	}
	w = c.window(c.shape(0), nil)
	padding, ok = w.keras()
	return w, padding, ok && w.dilations == [2]int{1, 1}
}

func maxPoolLayer(t *translation, c *call, n *nodeProto) bool {
	w, padding, ok := poolWindow(c)
	if ok {
		t.add(nn.MaxPooling2D{Pool: w.kernel, Strides: w.strides, Padding: padding, Name: t.layerName(n)}, n.outputs[0], n.inputs[0])
	}
	return ok
}

func averagePoolLayer(t *translation, c *call, n *nodeProto) bool {
	includePad := c.attrFlag("count_include_pad", false)
	w, padding, ok := poolWindow(c)
	if ok = ok && (!includePad || padding == nn.Valid); ok {
		t.add(nn.AveragePooling2D{Pool: w.kernel, Strides: w.strides, Padding: padding, Name: t.layerName(n)}, n.outputs[0], n.inputs[0])
	}
	return ok
}
