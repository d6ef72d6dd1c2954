package keras

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// leaf is a layer of a model that is no model itself.
type leaf struct {
	name, path string // path is that of Keras 3's own layout
	weights    []*nn.Weight
	fixed      bool // the layer has the file's weights as numbers: see adapt
}

// leaves lists the layers of a model, and of models in it, whose paths begin with prefix. Their order and classes are those
// of the configuration, if there is one, since paths count layers by class.
func (f *File) leaves(m *nn.Model, o *object, prefix string) []leaf {
	infos := map[string]nn.LayerInfo{}
	for _, l := range m.Layers() {
		infos[l.Name] = l
	}
	count := counter{prefix: prefix, used: map[string]int{}}
	var out []leaf
	add := func(l nn.LayerInfo, class string, o *object) {
		at := count.path(class)
		inner, nested := l.Config.(*nn.Model)
		switch parts := parts(l.Config); {
		case !nested && len(parts) > 0:
			each := len(l.Weights) / len(parts)
			for i, part := range parts {
				out = append(out, leaf{l.Name + "/" + part, at + "/" + part, l.Weights[i*each : (i+1)*each], false})
			}
		case !nested:
			out = append(out, leaf{l.Name, at, l.Weights, isFixed(l.Config)})
		default:
			more := f.leaves(inner, o, at+"/")
			// Whether a model in the model was Functional or Sequential, its weights tell.
			if o == nil && !f.fits(more) {
				another := "Sequential"
				if class == another {
					another = "Functional"
				}
				if other := f.leaves(inner, o, count.path(another)+"/"); f.fits(other) {
					class, more = another, other
				}
			}
			out = append(out, more...)
		}
		count.used[snakeCase(class)]++
	}
	if o == nil {
		for _, l := range m.Layers() {
			add(l, l.Class, nil)
		}
		return out
	}
	if c, err := parseModel(o); err == nil { // the model was made of it
		for i := range c.Layers {
			l := &c.Layers[i]
			add(infos[layerName(l.Name)], l.Class, l)
		}
	}
	return out
}

// counter numbers the layers of a model by their classes, as Keras 3's own layout does.
type counter struct {
	prefix string
	used   map[string]int
}

// path is the next layer's of a class.
func (c counter) path(class string) string {
	name := snakeCase(class)
	if n := c.used[name]; n > 0 {
		name = fmt.Sprintf("%s_%d", name, n)
	}
	return c.prefix + "layers/" + name
}

// paths are the layers' in Keras 3's own layout, by name.
func (c *modelConfig) paths(prefix string) map[string]string {
	count, out := counter{prefix, map[string]int{}}, map[string]string{}
	for _, l := range c.Layers {
		out[l.Name] = count.path(l.Class)
		count.used[snakeCase(l.Class)]++
	}
	return out
}

// fits says whether the file has weights of the right shapes for all layers.
func (f *File) fits(places []leaf) bool {
	stored := map[string][]weights.Tensor{}
	for _, l := range f.Layers {
		stored[standardPath(l.Path)] = l.Tensors
	}
	for _, p := range places {
		if len(p.weights) > 0 && !fitting(stored[p.path], p.weights) {
			return false
		}
	}
	return true
}

// snakeCase is Keras 3's to_snake_case: Conv2D becomes conv2d, ReLU re_lu.
func snakeCase(class string) string {
	class = firstWord.ReplaceAllString(class, "${1}_$2")
	return strings.ToLower(lowerUpper.ReplaceAllString(class, "${1}_$2"))
}

var (
	firstWord  = regexp.MustCompile(`(.)([A-Z][a-z]+)`)
	lowerUpper = regexp.MustCompile(`([a-z])([A-Z])`)
)

// byPlace matches Keras 3's own layout.
func (f *File) byPlace(places []leaf) []weights.Tensor {
	byPath, byName := map[string]leaf{}, map[string]leaf{}
	for _, l := range places {
		byPath[l.path], byName[l.name] = l, l
	}
	// Names tell more than the order of layers, unless they are another model's.
	named := true
	for _, l := range f.Layers {
		if _, ok := byName[layerName(l.Name)]; !ok && !isState(l.Path) {
			named = false
		}
	}
	var out []weights.Tensor
	for _, l := range f.Layers {
		if isState(l.Path) {
			continue
		}
		own := byPath[standardPath(l.Path)]
		if named {
			own = byName[layerName(l.Name)]
		}
		if own.fixed {
			continue
		}
		for i, t := range l.Tensors {
			t.Name = l.Path + "/vars/" + t.Name
			if i < len(own.weights) {
				t.Name = own.weights[i].Name
			}
			out = append(out, t)
		}
	}
	return out
}

// isState says whether variables are the state of a generator of random numbers, which is not kept.
func isState(path string) bool {
	return path == "seed_generator" || strings.HasSuffix(path, "/seed_generator")
}

// standardPath puts the names of today for those of Keras 2.
func standardPath(path string) string { return oldPaths.Replace(path) }

var oldPaths = strings.NewReplacer("_layer_checkpoint_dependencies", "layers", // the first versions of the layout, in Keras 2.12
	"/_query_dense", "/query_dense", "/_key_dense", "/key_dense", "/_value_dense", "/value_dense", "/_output_dense", "/output_dense")
