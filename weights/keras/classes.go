package keras

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/nn"
)

// class says how a class of Keras becomes a layer of package nn. The arguments of the configuration are put into the
// fields of the layer that are named after them (see setFields), so that most rows are a layer and nothing else.
type class struct {
	layer nn.Layer
	// fields names the fields of arguments that are called otherwise; "!" in front inverts a flag.
	fields map[string]string
	// fixed are arguments that have no field, with the only value that is supported.
	fixed map[string]string
	// nonzero are arguments whose zero the layer takes for Keras's default.
	nonzero []string
	// make, where not nil, makes the layer by itself, or changes the arguments and returns nil to have the fields set.
	make func(args map[string]json.RawMessage) (nn.Layer, error)
}

// common are the arguments of every layer that have been dealt with, or do not matter: names, shapes, what is not kept.
var common = set("name", "trainable", "dtype", "batch_input_shape", "batch_shape", "input_shape", "data_format", "seed", "sparse",
	"ragged", "input_dtype", "build_config", "autocast", "rng_type")

// synonyms are fields of arguments that package nn calls otherwise, in any class.
var synonyms = map[string]string{"kernel_size": "Kernel", "dilation_rate": "Dilations", "pool_size": "Pool", "target_shape": "Target"}

// oneGroup is what separable convolutions inherit from convolutions and do not use.
var oneGroup = map[string]string{"groups": "1"}

// classes is the table of layers. Add a row for a new one.
var classes = map[string]class{
	"Activation":             {layer: nn.Activation{}, fields: map[string]string{"activation": "Func"}},
	"Add":                    {layer: nn.Add{}},
	"AdditiveAttention":      {layer: nn.AdditiveAttention{}},
	"AlphaDropout":           {layer: nn.AlphaDropout{}},
	"Attention":              {layer: nn.Attention{}, fixed: map[string]string{"score_mode": `"dot"`}},
	"Average":                {layer: nn.Average{}},
	"AveragePooling1D":       {layer: nn.AveragePooling1D{}},
	"AveragePooling2D":       {layer: nn.AveragePooling2D{}},
	"BatchNormalization":     {layer: nn.BatchNormalization{}, nonzero: []string{"momentum", "epsilon"}, make: batchNormalization},
	"CenterCrop":             {layer: nn.CenterCrop{}, nonzero: []string{"height", "width"}},
	"Concatenate":            {layer: nn.Concatenate{}, nonzero: []string{"axis"}},
	"Conv1D":                 {layer: nn.Conv1D{}},
	"Conv1DTranspose":        {layer: nn.Conv1DTranspose{}, fixed: oneGroup},
	"Conv2D":                 {layer: nn.Conv2D{}},
	"Conv2DTranspose":        {layer: nn.Conv2DTranspose{}, fixed: oneGroup},
	"Conv3D":                 {layer: nn.Conv3D{}},
	"CustomScaleLayer":       {layer: nn.CustomScaleLayer{}, nonzero: []string{"scale"}},
	"Cropping1D":             {layer: nn.Cropping1D{}, make: noBorder("cropping")},
	"Cropping2D":             {layer: nn.Cropping2D{}},
	"Dense":                  {layer: nn.Dense{}},
	"DepthwiseConv1D":        {layer: nn.DepthwiseConv1D{}, fixed: oneGroup, make: separable},
	"DepthwiseConv2D":        {layer: nn.DepthwiseConv2D{}, fixed: oneGroup, make: separable},
	"Dot":                    {layer: nn.Dot{}},
	"Dropout":                {layer: nn.Dropout{}},
	"ELU":                    {layer: nn.ELULayer{}, nonzero: []string{"alpha"}},
	"Embedding":              {layer: nn.Embedding{}, make: embedding},
	"Flatten":                {layer: nn.Flatten{}},
	"GaussianDropout":        {layer: nn.GaussianDropout{}},
	"GaussianNoise":          {layer: nn.GaussianNoise{}},
	"GlobalAveragePooling1D": {layer: nn.GlobalAveragePooling1D{}},
	"GlobalAveragePooling2D": {layer: nn.GlobalAveragePooling2D{}},
	"GlobalMaxPooling1D":     {layer: nn.GlobalMaxPooling1D{}},
	"GlobalMaxPooling2D":     {layer: nn.GlobalMaxPooling2D{}},
	"GroupNormalization":     {layer: nn.GroupNormalization{}, nonzero: []string{"groups", "epsilon", "axis"}},
	"Identity":               {layer: nn.IdentityLayer{}},
	"LayerScale":             {layer: nn.LayerScale{}, nonzero: []string{"init_values", "projection_dim"}},
	"LayerNormalization":     {layer: nn.LayerNormalization{}, nonzero: []string{"epsilon"}},
	"LeakyReLU":              {layer: nn.LeakyReLULayer{}, fields: map[string]string{"alpha": "NegativeSlope"}, nonzero: []string{"alpha", "negative_slope"}},
	"MaxPooling1D":           {layer: nn.MaxPooling1D{}},
	"MaxPooling2D":           {layer: nn.MaxPooling2D{}},
	"Maximum":                {layer: nn.Maximum{}},
	"Minimum":                {layer: nn.Minimum{}},
	"MultiHeadAttention":     {layer: nn.MultiHeadAttention{}, fields: map[string]string{"num_heads": "Heads", "output_shape": "OutputDim"}, make: multiHeadAttention},
	"Multiply":               {layer: nn.Multiply{}},
	"Normalization":          {layer: nn.Normalization{}, make: normalization},
	"PReLU":                  {layer: nn.PReLU{}},
	"Permute":                {layer: nn.Permute{}},
	"RMSNormalization":       {layer: nn.RMSNormalization{}, nonzero: []string{"epsilon"}},
	"RandomBrightness":       {layer: nn.RandomBrightness{}, fields: valueRange, make: evenFactors("factor")},
	"RandomContrast":         {layer: nn.RandomContrast{}, fields: valueRange, make: equalFactors},
	"RandomCrop":             {layer: nn.CenterCrop{}, make: randomCrop},
	"RandomFlip":             {layer: nn.RandomFlip{}},
	"RandomRotation":         {layer: nn.RandomRotation{}, make: evenFactors("factor")},
	"RandomShear":            {layer: nn.RandomShear{}, make: evenFactors("x_factor", "y_factor")},
	"RandomTranslation":      {layer: nn.RandomTranslation{}, make: evenFactors("height_factor", "width_factor")},
	"RandomZoom":             {layer: nn.RandomZoom{}, make: randomZoom},
	"ReLU":                   {layer: nn.ReLULayer{}, nonzero: []string{"max_value"}},
	"RepeatVector":           {layer: nn.RepeatVector{}},
	"Rescaling":              {layer: nn.Rescaling{}, make: rescaling, nonzero: []string{"scale"}},
	"Resizing":               {layer: nn.Resizing{}, nonzero: []string{"height", "width"}, make: resizing},
	"Reshape":                {layer: nn.Reshape{}},
	"SeparableConv1D":        {layer: nn.SeparableConv1D{}, fixed: oneGroup, make: separable},
	"SeparableConv2D":        {layer: nn.SeparableConv2D{}, fixed: oneGroup, make: separable},
	"Softmax":                {layer: nn.SoftmaxLayer{}},
	"SpatialDropout1D":       {layer: nn.SpatialDropout1D{}},
	"SpatialDropout2D":       {layer: nn.SpatialDropout2D{}},
	"StochasticDepth":        {layer: nn.StochasticDepth{}},
	"Subtract":               {layer: nn.Subtract{}},
	"SyncBatchNormalization": {layer: nn.BatchNormalization{}, nonzero: []string{"momentum", "epsilon"}, make: batchNormalization},
	"UnitNormalization":      {layer: nn.UnitNormalization{}},
	"UpSampling1D":           {layer: nn.UpSampling1D{}},
	"UpSampling2D":           {layer: nn.UpSampling2D{}},
	"ZeroPadding1D":          {layer: nn.ZeroPadding1D{}, make: noBorder("padding")},
	"ZeroPadding2D":          {layer: nn.ZeroPadding2D{}, make: noBorder("padding")},
}

// augmentations are the classes of layers that change images in training alone, and here not even then. Each was seen to hand its input on in
// inference.
var augmentations = []string{"AugMix", "CutMix", "MixUp", "RandAugment", "RandomColorDegeneration", "RandomColorJitter", "RandomElasticTransform", "RandomErasing",
	"RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomSaturation",
	"RandomSharpness"}

// changesImages says whether a class is one of Keras's layers of images before a network.
func changesImages(class string) bool {
	switch class {
	case "CenterCrop", "RandomBrightness", "RandomContrast", "RandomFlip", "RandomRotation", "RandomShear", "RandomTranslation", "RandomZoom", "Resizing":
		return true
	}
	return slices.Contains(augmentations, class)
}

func init() {
	for _, name := range augmentations {
		classes[name] = class{make: func(args map[string]json.RawMessage) (nn.Layer, error) {
			clear(args) // they say what is done in training
			return nn.Augmentation{Class: name}, nil
		}}
	}
}

// Classes lists the classes of layers that [Model] knows, beside InputLayer and models in models.
func Classes() []string { return slices.Sorted(maps.Keys(classes)) }

func set(names ...string) map[string]bool {
	out := map[string]bool{}
	for _, n := range names {
		out[n] = true
	}
	return out
}

// layer makes the layer that a configuration describes.
func (o *object) layer() (nn.Layer, error) {
	c, ok := classes[o.Class]
	if !ok {
		return nil, wrong("supported are "+strings.Join(Classes(), ", "), "layers of this class are not supported%s", suggest.Phrase(o.Class, Classes()))
	}
	args, err := o.fields()
	if err != nil {
		return nil, err
	}
	if o.causal {
		args["causal"] = json.RawMessage("true")
	}
	var made nn.Layer
	if c.make != nil {
		if made, err = c.make(args); err != nil {
			return nil, err
		}
	}
	if made == nil {
		made = c.layer
	}
	to := reflect.New(reflect.TypeOf(made))
	to.Elem().Set(reflect.ValueOf(made))
	if err := setFields(to.Elem(), c, args); err != nil {
		return nil, err
	}
	if name := to.Elem().FieldByName("Name"); name.IsValid() {
		name.SetString(layerName(o.Name))
	}
	return to.Elem().Interface().(nn.Layer), nil
}

// batchNormalization drops the arguments of renormalization where that is off, and those of fused kernels.
func batchNormalization(args map[string]json.RawMessage) (nn.Layer, error) {
	if string(args["renorm"]) != "true" {
		delete(args, "renorm_momentum")
		delete(args, "renorm_clipping")
	}
	delete(args, "fused")
	delete(args, "synchronized") // of replicas
	for _, key := range []string{"moving_mean_initializer", "moving_variance_initializer"} {
		delete(args, key) // the statistics are read
	}
	if list := args["axis"]; len(list) > 0 && list[0] == '[' {
		var axes []json.RawMessage
		if err := json.Unmarshal(list, &axes); err != nil || len(axes) != 1 {
			return nil, wrong("", "axis=%s is not supported: one axis is", clip(list))
		}
		args["axis"] = axes[0]
	}
	return nil, nil
}

// separable drops what depthwise and separable convolutions inherit from convolutions: their kernels are called otherwise.
func separable(args map[string]json.RawMessage) (nn.Layer, error) {
	for _, key := range []string{"kernel_initializer", "kernel_regularizer", "kernel_constraint"} {
		delete(args, key)
	}
	return nil, nil
}
