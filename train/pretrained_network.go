package train

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/convert"
	kerasfile "github.com/stheno-ml/stheno/weights/keras"
	"github.com/stheno-ml/stheno/weights/onnx"
)

// begun is a network with pretrained weights, and what there is to say of it.
type begun struct {
	Config
	model *nn.Model // what is new has no values yet
	notes []string
}

// begin makes the network of a new run with the file's weights. c says what the data set does, and its Arch which network, or "" for the one in the
// file; it comes back with what makes this network again without the file.
func (p *Pretrained) begin(c Config) (*begun, error) {
	if c.Arch == "" {
		if c.Arch = p.Arch(); c.Arch == "" {
			return nil, fmt.Errorf("train: %s holds weights and no network; name the one that they are for with --arch", p.Path)
		}
	}
	b := &begun{Config: c}
	if p.checkpoint && p.cfg.Arch == c.Arch {
		b.inherit(p.cfg)
	}
	b.pixels(p)
	var err error
	if c.Arch == KerasArch || c.Arch == ONNXArch {
		err = b.whole(p)
	} else {
		err = b.named(p)
	}
	if err != nil {
		return nil, err
	}
	for _, w := range b.model.Weights() {
		if w.Value == nil {
			continue
		}
		if _, odd := firstNonFinite(w.Value.Data().([]float32)); odd {
			return nil, fmt.Errorf("train: --weights: not all numbers of %q are finite in %s; a run cannot begin with it", w.Name, p.Path)
		}
	}
	if !b.RawPixels && len(b.Mean)+len(b.Std) == 0 && !b.Standardise && !p.checkpoint && !b.RescaleInputs && !TakesRawPixels(b.model) {
		b.notes = append(b.notes, fmt.Sprintf("what the network in %s expects of pixels is not known: it is given pixels of 0 to 1; if it was trained on others, say so with --mean and --std, or with --raw-pixels", p.Path))
	}
	if b.Freeze == "" && hasFrozen(b.model) {
		b.notes = append(b.notes, fmt.Sprintf("layers that are frozen in %s stay so; --freeze %s trains them, too", p.Path, FreezeNone))
	}
	if net, err := b.model.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: 1, ShapesOnly: true}); err == nil && net.Logits == net.Output {
		b.notes = append(b.notes, "the network does not end with a softmax: what it returns is taken for probabilities")
	}
	return b, nil
}

// hasFrozen says whether a layer is frozen that has weights.
func hasFrozen(m *nn.Model) bool {
	return slices.ContainsFunc(m.Layers(), func(l nn.LayerInfo) bool {
		inner, ok := l.Config.(*nn.Model)
		return l.Frozen && len(l.Weights) > 0 || ok && hasFrozen(inner)
	})
}

// inherit takes from the configuration that a network was saved with what describes it, where c does not say something else.
func (c *Config) inherit(from Config) {
	c.Model, c.NewHead, c.Softmax = from.Model, from.NewHead, from.Softmax
	c.BatchNorm = c.BatchNorm || from.BatchNorm
	c.NoL2 = c.NoL2 || from.NoL2
	c.RescaleInputs = c.RescaleInputs || from.RescaleInputs
	c.SymmetricPadding = c.SymmetricPadding || from.SymmetricPadding
	c.Dropout = cmp.Or(c.Dropout, from.Dropout)
	c.Stem = cmp.Or(c.Stem, from.Stem)
	c.ResNetVersion = cmp.Or(c.ResNetVersion, from.ResNetVersion)
	c.Shortcuts = cmp.Or(c.Shortcuts, from.Shortcuts)
	c.BatchNormEpsilon = cmp.Or(c.BatchNormEpsilon, from.BatchNormEpsilon)
	c.BatchNormMomentum = cmp.Or(c.BatchNormMomentum, from.BatchNormMomentum)
	if c.Head == nil {
		c.Head = from.Head
	}
}

// pixels takes over what a checkpoint says of them, unless the run says it itself.
func (b *begun) pixels(p *Pretrained) {
	if b.RawPixels || b.Standardise || len(b.Mean)+len(b.Std) > 0 || !p.checkpoint {
		return
	}
	b.RawPixels, b.Mean, b.Std = p.cfg.RawPixels, p.cfg.Mean, p.cfg.Std
	if b.RawPixels || len(b.Mean)+len(b.Std) > 0 {
		b.notes = append(b.notes, fmt.Sprintf("images are given to the network as in %s", p.Path))
	}
}

// otherClasses says that a checkpoint names classes which are not those of the data set.
func (b *begun) otherClasses(p *Pretrained) bool {
	if !p.checkpoint || len(p.cfg.Classes) == 0 || p.cfg.Classes[0] == unnamedClass {
		return false
	}
	return !slices.Equal(p.cfg.Classes, b.Classes)
}

// named fills a network of arch.
func (b *begun) named(p *Pretrained) error {
	m, err := NewModel(b.Config)
	if err != nil {
		return err
	}
	head, again, err := b.fresh(m)
	if err != nil {
		return err
	}
	o := convert.Options{Fresh: append(namesOf(head), namesOf(again)...)}
	plan, err := convert.Match(m, p.src, o)
	if err != nil {
		return mismatch(err)
	}
	if len(plan.Notes) > 0 && !b.SymmetricPadding && b.BatchNormEpsilon == 0 {
		if asTorch, ok := LikeTorch(b.Config); ok {
			b.Config = asTorch
			b.notes = append(b.notes, "the network is built as PyTorch's are: padding on all sides, and an epsilon of 1e-5, where it has options for them")
			if m, err = NewModel(b.Config); err != nil {
				return err
			}
			if head, again, err = b.fresh(m); err != nil {
				return err
			}
			if plan, err = convert.Match(m, p.src, o); err != nil {
				return mismatch(err)
			}
		}
	}
	if _, err := plan.Apply(); err != nil {
		return err
	}
	b.notes = append(b.notes, plan.Notes...)
	b.model = m
	b.renew(p, head, again)
	return nil
}

// mismatch adds to the list of what does not fit what to do.
func mismatch(err error) error {
	wrong, ok := errors.AsType[*convert.MismatchError](err)
	if !ok {
		return err
	}
	if wrong.Remedy != "" {
		wrong.Remedy += "\n    "
	}
	wrong.Remedy += "the classifier alone may differ: name another --arch"
	var layers []string
	for _, d := range wrong.Differences {
		if d.Weight == "" { // the file has more than the network
			layers = nil
			break
		}
		if layer, _, _ := strings.Cut(d.Weight, "/"); !slices.Contains(layers, layer) {
			layers = append(layers, layer)
		}
	}
	const few = 4
	if len(layers) > 0 && len(layers) <= few {
		wrong.Remedy += fmt.Sprintf(", or let these layers begin anew with --reinit %s", strings.Join(append(layers, reinitHead), ","))
	}
	wrong.Remedy += "; stheno convert takes --map, --match and --ignore for files that are to be explained, and --weights what it writes"
	return err
}

// fresh are the weights of the classifier, if it can be told, and of the layers that Reinit names.
func (c Config) fresh(m *nn.Model) (head, again []*nn.Weight, err error) {
	if name, err := m.Classifier(); err == nil {
		if head, err = m.WeightsOf(pattern(name)); err != nil {
			return nil, nil, err
		}
	}
	again, err = c.reinitialised(m, head)
	return head, again, err
}

// reinitialised are the weights of the layers that Reinit names.
func (c Config) reinitialised(m *nn.Model, head []*nn.Weight) (all []*nn.Weight, err error) {
	if c.Reinit == "" {
		return nil, nil
	}
	for _, name := range patterns(c.Reinit) {
		some := head
		if name != reinitHead || len(head) == 0 {
			if some, err = m.WeightsOf(name); err != nil {
				return nil, noLayer("--reinit", err)
			}
			if len(some) == 0 {
				return nil, fmt.Errorf("train: --reinit %s names layers without weights, which have nothing to begin anew with", name)
			}
		}
		all = append(all, some...)
	}
	return all, nil
}

// renew takes values away from what is to be new, and says which layers that is.
func (b *begun) renew(p *Pretrained, head, again []*nn.Weight) {
	for _, w := range again {
		w.Value = nil
	}
	none := func(all []*nn.Weight) bool {
		return slices.ContainsFunc(all, func(w *nn.Weight) bool { return w.Value == nil })
	}
	if layers := layersOf(again); len(layers) > 0 {
		b.notes = append(b.notes, fmt.Sprintf("new, with initial values: %s, as --reinit says", strings.Join(layers, ", ")))
	}
	if len(head) == 0 || slices.Contains(again, head[0]) {
		return
	}
	layers := strings.Join(layersOf(head), ", ")
	switch {
	case none(head):
		b.notes = append(b.notes, fmt.Sprintf("new, with initial values: %s, the classifier: %s has none for %d classes", layers, p.Path, len(b.Classes)))
	case b.otherClasses(p):
		b.notes = append(b.notes, fmt.Sprintf("new, with initial values: %s, the classifier: that in %s is for other classes", layers, p.Path))
		for _, w := range head {
			w.Value = nil
		}
	case !p.checkpoint || len(p.cfg.Classes) == 0 || p.cfg.Classes[0] == unnamedClass:
		b.notes = append(b.notes, fmt.Sprintf("the classifier, %s, is that of %s, which is for %d classes, too; if they are others, begin it anew with --reinit %s", layers, p.Path, len(b.Classes), reinitHead))
	}
}

// whole takes the network that a file of Keras or ONNX, or a checkpoint of such a network, holds.
func (b *begun) whole(p *Pretrained) error {
	for _, o := range []struct {
		flag  string
		given bool
	}{{"--batch-norm", b.BatchNorm}, {"--dropout", b.Dropout != 0}, {"--no-l2", b.NoL2}, {"--stem", b.Stem != ""}, {"--resnet-version", b.ResNetVersion != ""},
		{"--shortcuts", b.Shortcuts != ""}, {"--batch-norm-momentum", b.BatchNormMomentum != 0}, {"--batch-norm-epsilon", b.BatchNormEpsilon != 0}} {
		if o.given {
			return fmt.Errorf("train: %s is for networks that --arch names; %s holds a network itself; leave it out", o.flag, p.Path)
		}
	}
	was, err := b.stored(p)
	if err != nil {
		return err
	}
	if in := was.InputShape(); !slices.Equal([]int(in), b.Input[:]) {
		return fmt.Errorf("train: the network in %s takes images of %s, those of %s are %s; pictures in a folder become what --size says", p.Path, sides(in), b.Data, sides(b.Input[:]))
	}
	if had := was.OutputShape()[0]; had != len(b.Classes) || b.otherClasses(p) {
		if _, err := was.Classifier(); err != nil {
			return fmt.Errorf("train: the network in %s has %d classes, %s has %d others, and %w", p.Path, had, b.Data, len(b.Classes), err)
		}
		b.NewHead = b.NewHead || had != len(b.Classes)
	}
	if was.EndsWithScores() {
		b.Softmax = true
		b.notes = append(b.notes, "the network ends without a softmax, which is put behind it")
	}
	m, err := NewModel(b.Config)
	if err != nil {
		return err
	}
	head, again, err := b.fresh(m)
	if err != nil {
		return err
	}
	stored := map[string]*nn.Weight{}
	for _, w := range was.Weights() {
		stored[w.Name] = w
	}
	for _, w := range m.Weights() {
		if old := stored[w.Name]; old != nil && old.Shape.Eq(w.Shape) {
			w.Value = old.Value
		} else if !slices.Contains(head, w) && !slices.Contains(again, w) {
			return fmt.Errorf("train: the network in %s has no weight %q of shape %v for images of %s", p.Path, w.Name, w.Shape, sides(b.Input[:]))
		}
	}
	if slices.ContainsFunc(head, func(w *nn.Weight) bool { return w.Value == nil }) {
		for _, w := range head {
			w.Value = nil
		}
	}
	b.model = m
	b.renew(p, head, again)
	return nil
}

// stored makes the network in a file as it is there, and notes how to make it again.
func (b *begun) stored(p *Pretrained) (m *nn.Model, err error) {
	switch {
	case p.checkpoint:
		m, c, err := LoadModel(p.Path)
		if err != nil || c.Input == b.Input {
			return m, err
		}
		c.Input = b.Input // the file that it was made of may have left the size open
		other, wrong := NewModel(c)
		if wrong != nil || other.Allocate(tensor.Float32) != nil || weights.Assign(modelTensors(other, ""), p.src.Checkpoint.Section(modelPrefix)) != nil {
			return m, nil // of which whole says what is wrong
		}
		return other, nil
	case b.Arch == ONNXArch:
		how := onnx.ModelConfig{Images: true, Size: nn.Shape(b.Input[:]), Dtype: tensor.Float32}
		if m, err = p.src.Graph.Model(how); err != nil {
			return nil, err
		}
		description, err := p.src.Graph.Describe(how)
		if err != nil {
			return nil, err
		}
		if b.Model, err = json.Marshal(description); err != nil {
			return nil, err
		}
	default:
		if m, err = kerasfile.ModelWith(p.src.Config, kerasfile.Options{Input: nn.Shape(b.Input[:])}); err != nil {
			return nil, err
		}
		plan, err := convert.Match(m, p.src, convert.Options{})
		if err != nil {
			return nil, err
		}
		if _, err := plan.Apply(); err != nil {
			return nil, err
		}
		b.Model = p.src.Config
	}
	if ins, outs := len(m.Inputs()), len(m.Outputs()); ins != 1 || outs != 1 || len(m.InputShape()) != 3 || len(m.OutputShape()) != 1 {
		return nil, &ArgumentError{What: "the network in " + p.Path, Problem: fmt.Sprintf("takes %v and returns %v; a run trains networks that take an image and return a number a class", m.InputShape(), m.OutputShape()),
			Remedy: "train it in a Go program: train.Fitter takes models of any kind"}
	}
	return m, nil
}

// LikeTorch is a network with PyTorch's padding and epsilon, as far as it has options for them, and whether it has any.
func LikeTorch(c Config) (Config, bool) {
	changed := false
	for _, option := range []func(*Config){func(c *Config) { c.SymmetricPadding = true }, func(c *Config) { c.BatchNormEpsilon = 1e-5 }} {
		with := c
		option(&with)
		if _, err := NewModel(with); err == nil {
			c, changed = with, true
		}
	}
	return c, changed
}

// layersOf names the layers of weights, each once.
func layersOf(all []*nn.Weight) (names []string) {
	for _, w := range all {
		if name, _, _ := strings.Cut(w.Name, "/"); !slices.Contains(names, name) { // of an attention's query/kernel, too
			names = append(names, name)
		}
	}
	return names
}

func namesOf(all []*nn.Weight) (names []string) {
	for _, w := range all {
		names = append(names, w.Name)
	}
	return names
}

// pattern is one of path.Match that matches a name alone.
func pattern(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// patterns are those of a list with commas.
func patterns(list string) []string {
	all := strings.Split(list, ",")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}
