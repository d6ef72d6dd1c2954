package nn

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"unicode"
)

// Builder collects the layers of a model. It keeps the first mistake with the line that made it, so that the
// description needs no error checks: everything after a mistake is ignored, and [Builder.Model] returns it. A Builder
// is for one goroutine. The zero value is NewBuilder("").
type Builder struct {
	// DataFormat is the order of the axes that convolution, pooling, padding and batch normalization see; it holds
	// for the layers that are added afterwards. Keras's data_format; the zero value is ChannelsLast. It does not change the input: a model
	// in ChannelsFirst whose images come as rows, columns, channels starts with Permute{Dims: []int{3, 1, 2}}.
	DataFormat DataFormat
	// Sequential says that the model is Keras's Sequential, a row of layers: as a layer of another model its class is that, and its
	// input is no layer of its own in summaries.
	Sequential bool

	name   string
	taken  map[string]*node
	serial map[string]int // next number of an automatic name, by stem
	err    error
}

// NewBuilder starts the description of a model; an empty name means "model", as in Keras.
func NewBuilder(name string) *Builder {
	if name == "" {
		name = "model"
	}
	b := &Builder{name: name, taken: map[string]*node{}, serial: map[string]int{}}
	if p := badName(name); p != "" {
		b.err = &Error{Kind: ErrArgument, Class: "Model", Layer: name, Problem: p, Site: callSite(),
			Remedy: "use letters, digits, '-', '_' and '.'"}
	}
	return b
}

// Err returns the first mistake, or nil. Its type is *[Error].
func (b *Builder) Err() error { return b.err }

// Input adds an input of samples of the given shape. For a name or a fixed batch size, Add an [Input].
func (b *Builder) Input(s Shape) *Tensor { return b.Add(Input{Shape: s}) }

// Add applies a layer to tensors and returns its result. It never returns nil and never panics: after a mistake the
// tensor is empty and Err says why. Models of several outputs want [Builder.AddAll].
func (b *Builder) Add(layer Layer, inputs ...*Tensor) *Tensor {
	return b.apply(layer, inputs, false)[0]
}

// AddAll is Add for a nested model of several outputs: it returns a tensor for each, in the model's order. Of other layers it returns one. As Add
// does, it returns empty tensors after a mistake, as many as it would have.
func (b *Builder) AddAll(layer Layer, inputs ...*Tensor) []*Tensor {
	return b.apply(layer, inputs, true)
}

// apply returns the results of a layer, empty ones after a mistake. Where not all are wanted, there must be one.
func (b *Builder) apply(layer Layer, inputs []*Tensor, all bool) []*Tensor {
	results := make([]*Tensor, 1)
	applied := layer
	if s, ok := layer.(*Shared); ok && s != nil && s.node != nil {
		applied = s.node.layer
	}
	if m, ok := applied.(*Model); ok && all && !m.empty() {
		results = make([]*Tensor, len(m.outputs))
	}
	for i := range results {
		results[i] = &Tensor{builder: b, index: i}
	}
	if b.err != nil {
		return results
	}
	b.begin()
	c, err := b.add(layer, inputs)
	if err == nil && len(c.shapes) > len(results) {
		err = badArgument("call AddAll, which returns all of them", "has %d outputs, Add returns one", len(c.shapes))
	}
	if err != nil {
		b.err = b.complete(err, c)
		return results
	}
	b.taken[c.name] = c.node
	c.number = c.calls
	c.calls++
	for _, t := range results {
		t.call = c
	}
	return results
}

// begin makes a Builder that NewBuilder did not make one that it did.
func (b *Builder) begin() {
	if b.taken == nil {
		b.name, b.taken, b.serial = "model", map[string]*node{}, map[string]int{}
	}
}

// isNil also sees a nil pointer in an interface, as a variable of another type that was never set leaves it.
func isNil(x any) bool {
	v := reflect.ValueOf(x)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// add returns the call even when it returns an error, as far as it got, for the message.
func (b *Builder) add(layer Layer, inputs []*Tensor) (*call, error) {
	n, err := b.layer(layer)
	c := &call{node: n, site: callSite()}
	if err != nil {
		return c, err
	}
	for i, t := range inputs {
		switch {
		case t == nil || t.builder == nil:
			return c, &Error{Kind: ErrNilTensor, Problem: fmt.Sprintf("input %d is nil", i),
				Remedy: "pass what Builder.Add or Builder.Input returned"}
		case t.builder != b || t.call == nil:
			return c, &Error{Kind: ErrForeignTensor,
				Problem: fmt.Sprintf("input %d, %q, belongs to another builder (model %q)", i, t.Layer(), t.builder.name),
				Remedy:  "describe the whole model with one builder"}
		}
		c.inputs = append(c.inputs, t.result())
	}
	return c, b.infer(c)
}

// layer returns the node of a layer: that of one which is shared, or of a model that was added before, else a new one, even when it returns an
// error, as far as it got.
func (b *Builder) layer(layer Layer) (*node, error) {
	n := &node{format: b.DataFormat, made: callSite()}
	if isNil(layer) {
		return n, &Error{Kind: ErrNilTensor, Class: "Builder", Problem: "Add got no layer",
			Remedy: "pass a layer, e.g. nn.Dense{Units: 10}"}
	}
	if s, ok := layer.(*Shared); ok {
		return s.of(b, n)
	}
	if v := reflect.ValueOf(layer); v.Kind() == reflect.Pointer {
		if l, ok := v.Elem().Interface().(Layer); ok { // a copy: the caller may go on using hers
			layer = l
		}
	}
	n.layer = layer
	n.class, n.name = layer.Identity()
	if n.name != "" {
		if p := badName(n.name); p != "" {
			return n, badArgument("use letters, digits, '-', '_' and '.'", "%s", p)
		}
		if first, ok := b.taken[n.name]; ok {
			if m, again := layer.(*Model); again && first.layer == Layer(m) {
				return first, nil
			}
			return n, &Error{Kind: ErrDuplicateName, Remedy: "give each layer its own Name, or none; what Builder.Share returns is one layer wherever it is added",
				Problem: fmt.Sprintf("the name is taken by the %s added at %s", first.class, first.made)}
		}
	} else {
		n.name = b.autoName(n.class)
	}
	return n, nil
}

// infer lets the layer check itself and keeps what it declares.
func (b *Builder) infer(c *call) error {
	if err := checkArity(c); err != nil {
		return err
	}
	s := &Spec{Format: c.format, sources: c.inputs}
	for _, in := range c.inputs {
		s.Inputs = append(s.Inputs, in.shape().clone())
	}
	out, err := c.layer.Infer(s)
	if err != nil {
		return err
	}
	if !reasonable(out) {
		return badShape("check the layer's sizes", "its result %v would be empty or of more than 2³⁴ elements", out)
	}
	c.shapes = []Shape{out.clone()}
	if in, ok := c.layer.(Input); ok {
		c.batch = in.Batch
	}
	for _, in := range c.inputs {
		c.batch = cmp.Or(c.batch, in.batch)
	}
	if m, ok := c.layer.(*Model); ok {
		if c.calls == 0 {
			c.weights = m.weights
		}
		for _, more := range m.outputs[1:] {
			c.shapes = append(c.shapes, more.shape().clone())
		}
		return nil
	}
	if c.calls > 0 {
		return c.fits(s.weights)
	}
	return c.declare(s.weights)
}

// declare gives a layer its weights, when it is applied for the first time.
func (n *node) declare(weights []*Weight) error {
	for _, w := range weights {
		if err := checkAll(w.Initializer, w.Regularizer, w.Constraint); err != nil {
			return err
		}
		if err := checkFit(w.Shape, w.Initializer, w.Regularizer, w.Constraint); err != nil {
			return err
		}
		if !reasonable(Shape(w.Shape)) {
			return badArgument("check the layer's sizes", "its weight %q of shape %v would be empty or of more than 2³⁴ elements", w.Name, w.Shape)
		}
		w.Name = n.name + "/" + w.Name
		for _, other := range n.weights {
			if other.Name == w.Name {
				return badArgument("give each weight its own name", "weight %q is declared twice", w.Name)
			}
		}
		n.weights = append(n.weights, w)
	}
	return nil
}

// fits says whether the layer's weights are those that it would have in another place.
func (n *node) fits(weights []*Weight) error {
	fail := func(format string, args ...any) error {
		return badShape("bring the inputs to one shape, or add a layer of its own for each", "is shared, and its weights were made for another input (at %s): %s", n.made, fmt.Sprintf(format, args...))
	}
	for i, w := range weights {
		switch {
		case i >= len(n.weights):
			return fail("this one wants a weight %q of shape %v, which it has not", w.Name, w.Shape)
		case n.weights[i].Name != n.name+"/"+w.Name:
			return fail("this one wants a weight %q where it has %q", w.Name, n.weights[i].Name)
		case !Shape(n.weights[i].Shape).equal(Shape(w.Shape)):
			return fail("this one wants %q of shape %v, it is of shape %v", w.Name, w.Shape, n.weights[i].Shape)
		}
	}
	if len(weights) < len(n.weights) {
		return fail("this one wants no weight %q", n.weights[len(weights)].Name)
	}
	return nil
}

// reasonable says whether a shape has at least one element, and few enough that sizes can be computed and allocated.
func reasonable(s Shape) bool {
	n := 1
	for _, d := range s {
		if d < 1 || d > maxElements/n {
			return false
		}
		n *= d
	}
	return true
}

const maxElements = min(1<<34, math.MaxInt)

// checkArity refuses a wrong number of inputs: our own layers take one unless they implement [MultiInput].
func checkArity(c *call) error {
	least, most, got := 1, -1, len(c.inputs)
	if isOwn(c.layer) {
		most = 1
	}
	if l, ok := c.layer.(MultiInput); ok {
		least, most = l.Arity()
	}
	switch {
	case got == 0 && least > 0:
		return badArgument("pass the tensor it applies to: b.Add(layer, x)", "has no input")
	case got < least:
		return badArgument("pass all the tensors it combines", "takes at least %d inputs, got %d", least, got)
	case most >= 0 && got > most:
		return badArgument("combine them first, e.g. with nn.Add", "takes %d input%s, got %d", most, plural(most), got)
	}
	return nil
}

func plural(n int) string {
	if n > 1 {
		return "s"
	}
	return ""
}

// isOwn says whether a layer is one of this package; others may take as many inputs as they like.
func isOwn(l Layer) bool {
	return reflect.TypeOf(l).PkgPath() == reflect.TypeFor[Builder]().PkgPath()
}

// complete fills in what the layer did not know about its mistake.
func (b *Builder) complete(err error, c *call) error {
	e := &Error{Kind: ErrArgument, Problem: err.Error(), Cause: err}
	if own, ok := err.(*Error); ok { // a layer's wrapping of an *Error stays visible as the cause
		copied := *own
		e = &copied
	}
	if e.Class == "" {
		e.Class, e.Layer = c.class, c.name
	}
	if e.Inputs == "" {
		e.Inputs = c.describe(0)
	}
	if e.Site == "" {
		e.Site = c.site
	}
	return e
}

// autoName makes Keras's automatic name: the class in snake case, numbered from the second on; inputs are numbered
// from input_1. Names that were given by hand are skipped, as newer versions of Keras do.
func (b *Builder) autoName(class string) string {
	stem := snakeCase(class)
	if class == "InputLayer" {
		stem = "input"
		b.serial[stem] = max(b.serial[stem], 1)
	}
	for {
		name := stem
		if i := b.serial[stem]; i > 0 {
			name = fmt.Sprintf("%s_%d", stem, i)
		}
		b.serial[stem]++
		if _, taken := b.taken[name]; !taken {
			return name
		}
	}
}

// snakeCase is Keras's to_snake_case: MaxPooling2D becomes max_pooling2d, ReLU re_lu. An underscore goes before an
// upper-case letter that follows a lower-case one, or that begins a lower-case (or numeric) run.
func snakeCase(class string) string {
	r := []rune(class)
	var out []rune
	for i, c := range r {
		if i > 0 && unicode.IsUpper(c) {
			startsRun := i+1 < len(r) && (unicode.IsLower(r[i+1]) || unicode.IsDigit(r[i+1]))
			if startsRun || unicode.IsLower(r[i-1]) {
				out = append(out, '_')
			}
		}
		out = append(out, unicode.ToLower(c))
	}
	return string(out)
}

// badName says what is wrong with a name, or "". Slashes separate layer and weight; summaries are lines of words.
func badName(name string) string {
	for _, r := range name {
		if r == '/' || unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar {
			return fmt.Sprintf("the name %q contains %q", name, r)
		}
	}
	return ""
}

// callSite is the nearest caller outside this package, as "dir/file.go:line".
func callSite() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		own := strings.HasPrefix(f.Function, packagePath+".") && !strings.HasSuffix(f.File, "_test.go")
		if f.File != "" && !own {
			return filepath.Base(filepath.Dir(f.File)) + "/" + filepath.Base(f.File) + fmt.Sprintf(":%d", f.Line)
		}
		if !more {
			return ""
		}
	}
}

var packagePath = reflect.TypeFor[Builder]().PkgPath()
