package kernel

import (
	"fmt"
	"math"
	"strings"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/augment"
)

func init() {
	registerFloats(map[string]Prepare{"CropAndResize": prepareCropAndResize})
	registerNarrow(map[string]narrowing{"CropAndResize": {out: operands(0), gains: true}})
}

// prepareCropAndResize puts what the host works out of mean and deviation into the kernel's text, as prepareAugment does.
func prepareCropAndResize(_ *Builder, s *graph.Step) ([]Command, error) {
	o, y, pixels := s.Instr.(*op.CropAndResize), s.Out[0], s.In[0].Shape[1]
	n, h, w, c := y.Shape[0], y.Shape[1], y.Shape[2], y.Shape[3]
	if c > mostChannels || pixels > math.MaxInt32/c || n > math.MaxInt32 {
		return nil, nil
	}
	const each = 8 // rows of a block, which share the weights of its columns
	block := min((w+31)/32*32, threads)
	a := augment.NewAffine[float64](c, augment.Normalize{Raw: o.Raw, Mean: o.Mean, Std: o.Std})
	text := arrayText("scale", y.Dtype, a.Scale) + arrayText("shift", y.Dtype, a.Shift)
	d := storage{fmt.Sprint("HEIGHT ", h), fmt.Sprint("WIDTH ", w), fmt.Sprint("CHANNELS ", c), fmt.Sprint("PIXELS ", pixels),
		fmt.Sprint("NUMBERS ", o.Numbers()), fmt.Sprint("CUTOUT ", o.Cutout), fmt.Sprint("MIXUP ", one(o.Mixup))}.as("SY", y)
	source := Text("crop_and_resize.cu", y.Dtype, text+read("crop_and_resize.cu"), d...)
	return []Command{
		&Check{In: 1, Fn: func(a op.Array) error { return o.CheckDraws(a.Data.([]int), pixels) }},
		&Launch{Source: source, Name: "crop_and_resize", Grid: Dim3{X: n, Y: (h + each - 1) / each}, Block: Dim3{X: block},
			Args: []any{Out(0), In(0), In(1)}},
	}, nil
}

// arrayText defines an array of constants. Numbers of float32 are rounded from float64 once, as the host does.
func arrayText(name string, dt tensor.Dtype, values []float64) string {
	var t strings.Builder
	fmt.Fprintf(&t, "__device__ const T %s[] = {", name)
	for _, x := range values {
		t.WriteString(literal(dt, x))
		t.WriteString(", ")
	}
	t.WriteString("};\n")
	return t.String()
}
