package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/internal/thousands"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/convert"
	"github.com/stheno-ml/stheno/weights/numpy"
	"github.com/stheno-ml/stheno/weights/onnx"
)

// outputs are the values of --to.
var outputs = []string{"checkpoint", "safetensors", "npz", "onnx"}

// notWritten are the ends of names of files that are not written, and whose these are.
var notWritten = map[string]string{".h5": "Keras", ".hdf5": "Keras", ".keras": "Keras", ".pt": "PyTorch", ".pth": "PyTorch", ".th": "PyTorch", ".npy": "one array",
	".pb": "TensorFlow", ".tflite": "TensorFlow"}

// conversion is the command convert.
type conversion struct {
	network
	pixels
	arch, data, to  string
	match, layoutIn string
	names           string // file of --map
	ignore          []string
	dry             bool
	pixelsKnown     bool // by the flags, or as IN is a checkpoint
}

func newConvert() *cobra.Command {
	var c conversion
	cmd := &cobra.Command{
		Use:   "convert IN OUT",
		Short: "Make weights of PyTorch, Keras, NumPy, ONNX or safetensors a network's",
		Long: `Convert reads the weights that another program trained, puts them into a network, and writes them to OUT: a checkpoint for eval
and predict, the weights alone (OUT.npz, or --to safetensors), or the network with its weights for other programs (OUT.onnx).

IN is a file of torch.save (.pt, .pth, .th), of Keras (.h5, .weights.h5, .keras), safetensors, NumPy's .npz, ONNX, a
checkpoint, or the folder of a run, of which the best checkpoint is read; a file's content says which it is.

Models saved whole by Keras, ONNX files, checkpoints and runs hold a network, which is taken as it is. For files of weights --arch
names it. Every tensor must have its place: what does not fit is listed, and nothing is written.

Images are rows, columns, channels here. A network in ONNX that takes channels first gets a Permute in front where OUT is a
checkpoint; one that begins with a Transpose to that order takes images as they are. Where a file leaves the images' size open,
--input says it. The classes are as many as the network returns.`,
		Example: `  stheno convert resnet20.th resnet20.safetensors --arch resnet20-cifar --data cifar10 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
  stheno convert resnet8.h5 resnet8.safetensors --data cifar10 --raw-pixels
  stheno convert net.onnx net.safetensors --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
  stheno convert runs/vgg16-cifar100-20260101-120000 vgg16.onnx
  stheno eval --checkpoint resnet20.safetensors`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 && !(c.dry && len(args) == 1) {
				return fmt.Errorf("convert wants a file to read and a file to write, got %d names", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			out := ""
			if len(args) == 2 {
				out = args[1]
			}
			return c.run(cmd, args[0], out)
		},
	}
	f := cmd.Flags()
	c.network.flags(f)
	c.pixels.flags(f)
	f.StringVar(&c.arch, "arch", "", "architecture, where IN holds none; "+seeArchitectures())
	f.StringVar(&c.data, "data", "", "data set the network was trained on, which gives the classes' names and the images' size: "+strings.Join(slices.DeleteFunc(data.Names(), func(name string) bool { return name == data.FolderName }), ", "))
	f.StringVar(&c.to, "to", "", "what to write: "+strings.Join(outputs, ", ")+" (default: what OUT.npz and OUT.onnx say, else checkpoint)")
	f.StringVar(&c.match, "match", "", "the only way to match tensors: "+strings.Join(convert.Rules(), ", ")+" (default: the first that fits; order only where it is certain)")
	f.StringVar(&c.names, "map", "", "JSON file of names: weights to tensors, {\"conv1/kernel\": \"features.0.weight\"}, or layers to modules, {\"conv1\": \"features.0\"}")
	f.StringVar(&c.layoutIn, "layout", "", "order of axes in IN: "+strings.Join(convert.Layouts(), ", ")+" (default: what its names say)")
	f.StringArrayVar(&c.ignore, "ignore", nil, "`pattern` of tensors in IN that the network is not meant to have, such as 'aux.*'; may be repeated")
	f.BoolVar(&c.dry, "dry-run", false, "list which tensor becomes which weight, and write nothing")
	return cmd
}

func (c *conversion) run(cmd *cobra.Command, in, out string) error {
	f, w := cmd.Flags(), cmd.OutOrStdout()
	o := convert.Options{Rule: convert.Rule(c.match), Layout: convert.Layout(c.layoutIn), Ignore: c.ignore}
	var err error
	if c.names != "" {
		if o.Map, err = readNames(c.names); err != nil {
			return err
		}
	}
	if err := c.output(in, out); err != nil {
		return err
	}
	c.pixelsKnown = c.pixels.given(f) || c.RescaleInputs
	var m *nn.Model
	var cfg train.Config
	if c.arch != "" { // what is wrong with the flags is said before a large file is read
		if cfg, err = c.config(f); err != nil {
			return err
		}
	}
	file, err := train.CheckpointIn(in)
	if err != nil {
		return err
	}
	src, err := convert.Open(file)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: %s, %d tensors%s\n", file, src.Format, len(src.Tensors), under(src.Prefix))
	if c.arch == "" {
		if src.Format == "checkpoint" || src.Graph != nil {
			return c.whole(cmd, src, out)
		}
		m, cfg, err = c.described(f, in, src.Config)
	} else {
		m, err = train.NewModel(cfg)
	}
	if err != nil {
		return err
	}
	plan, err := convert.Match(m, src, o)
	if wrong, ok := errors.AsType[*convert.MismatchError](err); ok && wrong.Classes > 0 && c.arch != "" && !f.Changed("classes") && c.data == "" {
		fmt.Fprintf(w, "%d classes, as the last layer in the file has\n", wrong.Classes)
		cfg.Classes = classNames(wrong.Classes)
		if m, err = train.NewModel(cfg); err != nil {
			return err
		}
		plan, err = convert.Match(m, src, o)
	}
	if wrong, ok := errors.AsType[*convert.MismatchError](err); ok && wrong.Remedy == "" && wrong.Classes == 0 && src.Format == "PyTorch" {
		wrong.Remedy = "if PyTorch's network is built in another way than this one, write all of it with torch.onnx.export, and convert that file, without --arch"
	}
	if err != nil {
		return err
	}
	if len(plan.Notes) > 0 && c.arch != "" && !f.Changed("symmetric-padding") && !f.Changed("batch-norm-epsilon") {
		if asTorch, ok := train.LikeTorch(cfg); ok {
			fmt.Fprintln(w, "built as PyTorch's networks are: --symmetric-padding and --batch-norm-epsilon 1e-5, where it has them")
			cfg = asTorch
			if m, err = train.NewModel(cfg); err != nil {
				return err
			}
			if plan, err = convert.Match(m, src, o); err != nil {
				return err
			}
		}
	}
	odd, err := plan.Apply() // before what looks at the values
	if err != nil {
		return err
	}
	c.noteRaw(f, w, m, &cfg)
	c.tell(w, plan, m)
	noteAugmentation(w, m)
	if m, err = c.probabilities(w, m, &cfg); err != nil {
		return err
	}
	if c.dry {
		list(w, plan)
		return nil
	}
	if len(odd) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: not all numbers are finite in %s\n", strings.Join(odd, ", "))
	}
	return c.write(w, out, m, cfg)
}

// noteRaw has a network that rescales pixels of 0 to 255 itself be given these, where the flags say nothing else.
func (c *conversion) noteRaw(f *pflag.FlagSet, w io.Writer, m *nn.Model, cfg *train.Config) {
	if c.pixels.given(f) || !train.TakesRawPixels(m) {
		return
	}
	cfg.RawPixels, c.pixelsKnown = true, true
	fmt.Fprintln(w, "note: the network rescales pixels of 0 to 255 itself, and is given these")
}

// noteAugmentation names the layers that do something in Keras's training, and nothing in ours.
func noteAugmentation(w io.Writer, m *nn.Model) {
	var idle []string
	var find func(m *nn.Model)
	find = func(m *nn.Model) {
		for _, l := range m.Layers() {
			switch l := l.Config.(type) {
			case *nn.Model:
				find(l)
			case nn.Augmentation:
				idle = append(idle, l.Class)
			}
		}
	}
	find(m)
	if slices.Sort(idle); len(idle) > 0 {
		fmt.Fprintf(w, "note: %s: layers that augment images in Keras's training do nothing here, in training either; --augment, --cutout and --mixup of %s train do\n",
			strings.Join(slices.Compact(idle), ", "), programName)
	}
}

// probabilities is the network of a checkpoint: one that ends with scores gets a softmax behind them, as eval and predict are about probabilities. A network
// that ends otherwise, but for a softmax, is noted.
func (c *conversion) probabilities(w io.Writer, m *nn.Model, cfg *train.Config) (*nn.Model, error) {
	if c.to != "checkpoint" {
		return m, nil
	}
	if len(cfg.Model) > 0 && m.EndsWithScores() {
		cfg.Softmax = true
		fmt.Fprintln(w, "note: the network ends with scores; in the checkpoint a softmax is behind them")
		return m.WithSoftmax()
	}
	if net, err := m.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: 1, ShapesOnly: true}); err == nil && net.Logits == net.Output {
		fmt.Fprintln(w, "note: the network does not end with a softmax: what eval says of the loss and predict of probabilities means nothing")
	}
	return m, nil
}

// output decides what to write, and refuses to write over the file that is read.
func (c *conversion) output(in, out string) error {
	if c.to == "" {
		c.to = outputs[0]
		switch ext := strings.ToLower(filepath.Ext(out)); {
		case ext == ".npz" || ext == ".onnx":
			c.to = ext[1:]
		case notWritten[ext] != "":
			return fmt.Errorf("%s: files of %s are read and not written; name OUT.onnx or OUT.npz for other programs, or OUT.safetensors for %s", out, notWritten[ext], programName)
		}
	}
	if !slices.Contains(outputs, c.to) {
		return fmt.Errorf("unknown output %q%s", c.to, suggest.Then(c.to, outputs, "use "+strings.Join(outputs, ", ")))
	}
	a, err := os.Stat(in)
	if err != nil {
		return err
	}
	if b, err := os.Stat(out); err == nil && os.SameFile(a, b) {
		return fmt.Errorf("%s is the file to be read; write to another one", out)
	}
	return nil
}

// readNames reads the file of --map.
func readNames(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--map: %w", err)
	}
	var names map[string]string
	if err := json.Unmarshal(text, &names); err != nil {
		return nil, fmt.Errorf("--map: %s: want a JSON object of texts, such as {\"conv1/kernel\": \"features.0.weight\"}: %w", path, err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("--map: %s lists no names", path)
	}
	return names, nil
}

func under(prefix string) string {
	if prefix == "" {
		return ""
	}
	return fmt.Sprintf(" under %q", strings.TrimRight(prefix, "./"))
}

// tell says what was matched, and how.
func (c *conversion) tell(w io.Writer, p *convert.Plan, m *nn.Model) {
	total, _, _ := m.CountParams()
	moved := 0
	for _, pair := range p.Pairs {
		if pair.Moves != "" {
			moved++
		}
	}
	how := map[convert.Rule]string{convert.RuleMap: "by the names in " + c.names, convert.RuleNames: "by equal names", convert.RuleTorch: "by PyTorch's names of the layers",
		convert.RuleOrder: "by their order in the file, which the shapes agree with"}[p.Rule]
	fmt.Fprintf(w, "%s: all %d weights (%s numbers) matched %s; axes of %d reordered\n", m.Name(), len(p.Pairs), thousands.Format(int64(total)), how, moved)
	reasons := map[string]int{}
	for _, a := range p.Ignored {
		reasons[a.Reason]++
	}
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(w, "not used: %d of the file's tensors (%s)\n", reasons[reason], reason)
	}
	for _, note := range p.Notes {
		fmt.Fprintln(w, "note:", note)
	}
}

// list prints the pairs, and what is not used.
func list(w io.Writer, p *convert.Plan) {
	widest := 0
	for _, pair := range p.Pairs {
		widest = max(widest, len(pair.Weight.Name))
	}
	for _, pair := range p.Pairs {
		fmt.Fprintf(w, "  %-*s  %-18s <- %s %s %v\n", widest, pair.Weight.Name, fmt.Sprint([]int(pair.Weight.Shape)), pair.Tensor.Name,
			cmp.Or(pair.Tensor.TypeName(), "?"), pair.Tensor.Shape)
	}
	for _, a := range p.Ignored {
		fmt.Fprintf(w, "  not used: %s (%s)\n", a.Name, a.Reason)
	}
}

// write writes the network, or its weights alone.
func (c *conversion) write(w io.Writer, out string, m *nn.Model, cfg train.Config) error {
	if c.to == "checkpoint" {
		if err := train.SaveModel(out, m, cfg); err != nil {
			return err
		}
		hint := ""
		if cfg.Data == "" {
			hint = " --data NAME"
		}
		if !c.pixelsKnown {
			fmt.Fprintln(w, "note: it is given pixels of 0 to 1; if it was trained on others, say so with --mean and --std, or with --raw-pixels")
		}
		fmt.Fprintf(w, "%s is a checkpoint; measure it with: %s eval --checkpoint %s%s\n", out, programName, out, hint)
		return nil
	}
	if c.to == "onnx" {
		if err := onnx.Write(out, m, onnx.WriteConfig{}); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s is the network in ONNX, %s\n", out, fromTo(m))
		if c.pixelsKnown {
			fmt.Fprintf(w, "note: it is to be given %s\n", pixelsFor(cfg))
		}
		return nil
	}
	var tensors []weights.Tensor
	for _, weight := range m.Weights() {
		tensors = append(tensors, weights.Tensor{Name: weight.Name, Shape: weight.Shape, Data: weight.Value.Data()})
	}
	if c.to == "npz" {
		if err := numpy.Write(out, tensors); err != nil {
			return err
		}
	} else if err := weights.WriteSafetensors(out, &weights.File{Tensors: tensors}); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s holds the weights\n", out)
	return nil
}
