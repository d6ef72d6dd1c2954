package convert

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/weights"
)

// A finder returns the tensor that belongs to a weight, or nil.
type finder func(s *slot) *weights.Tensor

// maxRepeated bounds the parts of a name in whose beginning repetitions are looked for: hostile files have names of thousands of parts.
const maxRepeated = 32

// byEqualNames finds tensors that are called as the weights are, give or take what formats add.
func byEqualNames(src *Source) finder {
	at := map[string]*weights.Tensor{}
	for i := range src.Tensors {
		t := &src.Tensors[i]
		name := strings.ReplaceAll(strings.TrimSuffix(t.Name, ":0"), ".", "/")
		at[name] = t
		parts := strings.Split(name, "/")
		for n := 1; 2*n < min(len(parts), maxRepeated); n++ { // Keras writes conv1/conv1/kernel:0
			if strings.Join(parts[:n], "/") == strings.Join(parts[n:2*n], "/") {
				at[strings.Join(parts[n:], "/")] = t
			}
		}
	}
	return func(s *slot) *weights.Tensor {
		if t := at[s.weight.Name]; t != nil {
			return t
		}
		return at[strings.ReplaceAll(s.weight.Name, ".", "/")]
	}
}

// byTorchNames finds tensors by what PyTorch's implementations call the layers of known architectures.
func byTorchNames(src *Source) finder {
	at := map[string]*weights.Tensor{}
	for i := range src.Tensors {
		at[strings.ReplaceAll(src.Tensors[i].Name, "/", ".")] = &src.Tensors[i]
	}
	return func(s *slot) *weights.Tensor {
		leaves := []string{"." + s.leaf()}
		switch {
		case s.part != "":
			leaves[0] = "." + s.part + leaves[0]
		case s.isParameter():
			leaves = append(leaves, "")
		}
		for _, leaf := range leaves {
			for _, module := range torchModules(s.layer.Name) {
				if t := at[module+leaf]; t != nil {
					return t
				}
			}
		}
		return nil
	}
}

// torchName is a rule from the name of a layer to names of modules.
type torchName struct {
	pattern *regexp.Regexp
	modules func(parts []string) []string
}

// block is the number of a block in a stage, counted from 0: of a letter, or of z1, z2 for those behind z.
func block(label string) int {
	if n, err := strconv.Atoi(strings.TrimPrefix(label, "z")); err == nil {
		return 25 + n
	}
	return int(label[0] - 'a')
}

// less is a number in a name, less one.
func less(s string) int {
	n, _ := strconv.Atoi(s)
	return n - 1
}

// torchNames are the rules. Residual networks are called by TensorFlow's official models (res2a_branch2a), or by
// keras.applications (conv2_block1_1_conv); in torchvision and its kin both are layer1.0.conv1. The names of shortcuts
// are torchvision's (downsample), and those of others (shortcut). Vision transformers are torchvision's and timm's.
var torchNames = []torchName{
	{regexp.MustCompile(`^conv1(?:_conv)?$`), func([]string) []string { return []string{"conv1"} }},
	{regexp.MustCompile(`^(?:bn_conv1|conv1_bn)$`), func([]string) []string { return []string{"bn1", "norm1"} }},
	{regexp.MustCompile(`^(res|bn)(\d)([a-z]\d*)_branch2([a-c])$`), func(p []string) []string {
		return []string{fmt.Sprintf("layer%d.%d.%s%d", less(p[2]), block(p[3]), map[string]string{"res": "conv", "bn": "bn"}[p[1]], p[4][0]-'a'+1)}
	}},
	{regexp.MustCompile(`^(res|bn)(\d)([a-z]\d*)_branch1$`), func(p []string) []string {
		return shortcut(less(p[2]), block(p[3]), p[1] == "bn")
	}},
	{regexp.MustCompile(`^conv(\d)_block(\d+)_([1-3])_(conv|bn)$`), func(p []string) []string {
		return []string{fmt.Sprintf("layer%d.%d.%s%s", less(p[1]), less(p[2]), p[4], p[3])}
	}},
	{regexp.MustCompile(`^conv(\d)_block(\d+)_0_(conv|bn)$`), func(p []string) []string {
		return shortcut(less(p[1]), less(p[2]), p[3] == "bn")
	}},
	{regexp.MustCompile(`^encoder_layer_(\d+)_(ln_1|ln_2|self_attention|mlp_1|mlp_2)$`), func(p []string) []string {
		theirs := map[string][2]string{"ln_1": {"ln_1", "norm1"}, "ln_2": {"ln_2", "norm2"}, "self_attention": {"self_attention", "attn"},
			"mlp_1": {"mlp.0", "mlp.fc1"}, "mlp_2": {"mlp.3", "mlp.fc2"}}[p[2]]
		out := []string{"encoder.layers.encoder_layer_" + p[1] + "." + theirs[0], "blocks." + p[1] + "." + theirs[1]}
		if number, ok := strings.CutPrefix(p[2], "mlp_"); ok { // of torchvision's files before 0.14
			out = append(out, "encoder.layers.encoder_layer_"+p[1]+".mlp.linear_"+number)
		}
		return out
	}},
	{regexp.MustCompile(`^conv_proj$`), func([]string) []string { return []string{"patch_embed.proj"} }},
	{regexp.MustCompile(`^class_token$`), func([]string) []string { return []string{"cls_token"} }},
	{regexp.MustCompile(`^pos_embedding$`), func([]string) []string { return []string{"encoder.pos_embedding", "pos_embed"} }},
	{regexp.MustCompile(`^ln$`), func([]string) []string { return []string{"encoder.ln", "norm"} }},
	{regexp.MustCompile(`^head$`), func([]string) []string { return []string{"heads.head"} }},
	{regexp.MustCompile(`^(?:fc|predictions|dense|logits|fc\d+)$`), func([]string) []string { return []string{"fc", "linear", "classifier", "head"} }},
}

func shortcut(stage, block int, norm bool) []string {
	part := 0
	if norm {
		part = 1
	}
	var out []string
	for _, name := range []string{"downsample", "shortcut"} {
		out = append(out, fmt.Sprintf("layer%d.%d.%s.%d", stage, block, name, part))
	}
	return out
}

// torchModules are the modules that a layer may be, the likeliest first: what is called like it is it.
func torchModules(layer string) []string {
	out := []string{layer, strings.ReplaceAll(layer, "_", ".")}
	for _, rule := range torchNames {
		if p := rule.pattern.FindStringSubmatch(layer); p != nil {
			out = append(out, rule.modules(p)...)
		}
	}
	return out
}

// byMap finds tensors by a list of the caller's: from weights to tensors, or from layers to modules.
func byMap(src *Source, names map[string]string) (finder, error) {
	at := map[string]*weights.Tensor{}
	for i := range src.Tensors {
		for begin := range len(src.Prefix) + 1 { // with as much of the prefix as the caller likes to give
			if begin == 0 || strings.ContainsRune("./", rune(src.Prefix[begin-1])) {
				at[src.Prefix[begin:]+src.Tensors[i].Name] = &src.Tensors[i]
			}
		}
	}
	for weight, name := range names {
		known := at[name] != nil
		for other := range at {
			known = known || strings.HasPrefix(other, name+".") || strings.HasPrefix(other, name+"/")
		}
		if !known {
			return nil, fmt.Errorf("convert: the list of names gives %q for %q, which %s does not have", name, weight, src.Path)
		}
	}
	return func(s *slot) *weights.Tensor {
		if name, ok := names[s.weight.Name]; ok {
			return at[name]
		}
		module, ok := names[s.layer.Name]
		if !ok {
			return nil
		}
		dot, slash := ".", "/"
		if s.part != "" {
			dot, slash = "."+s.part+".", "/"+s.part+"/"
		}
		tries := []string{module + dot + s.leaf(), module + dot + s.local, module + slash + s.local}
		if s.isParameter() {
			tries = append(tries, module)
		}
		for _, name := range tries {
			if t := at[name]; t != nil {
				return t
			}
		}
		return nil
	}, nil
}
