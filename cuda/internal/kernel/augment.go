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
	registerFloats(map[string]Prepare{"Augment": prepareAugment})
	registerNarrow(map[string]narrowing{"Augment": {out: operands(0), gains: true}})
}

// mostChannels bounds the table that is part of the kernel's text.
const mostChannels = 32

// prepareAugment puts the number of every byte, which the host works out, into the kernel's text: the images are the host's, bit by
// bit, and a data set has one mean and deviation.
func prepareAugment(_ *Builder, s *graph.Step) ([]Command, error) {
	o, y := s.Instr.(*op.Augment), s.Out[0]
	n, h, w, c := y.Shape[0], y.Shape[1], y.Shape[2], y.Shape[3]
	if c > mostChannels || h > math.MaxInt32/2/c/w || n > math.MaxInt32 {
		return nil, nil
	}
	const each = 16 // elements of a thread
	parts := min((h*w*c+each*threads-1)/(each*threads), 65535)
	table := tableText(y.Dtype, augment.Tables[float64](c, augment.Normalize{Raw: o.Raw, Mean: o.Mean, Std: o.Std}))
	index := In(1) // not looked at
	commands := []Command{&Check{In: 1, Fn: func(a op.Array) error { return o.CheckDraws(a.Data.([]int), y.Shape) }}}
	if o.Indexed {
		index = In(2)
		commands = append(commands, &Check{In: 2, Fn: func(a op.Array) error { return o.CheckIndex(a.Data.([]int), s.In[0].Shape[0]) }})
	}
	d := storage{fmt.Sprint("HEIGHT ", h), fmt.Sprint("WIDTH ", w), fmt.Sprint("CHANNELS ", c), fmt.Sprint("NUMBERS ", o.Numbers()),
		fmt.Sprint("CUTOUT ", o.Cutout), fmt.Sprint("MIXUP ", one(o.Mixup)), fmt.Sprint("INDEXED ", one(o.Indexed))}.as("SY", y)
	source := Text("augment.cu", y.Dtype, table+read("augment.cu"), d...)
	return append(commands, &Launch{Source: source, Name: "augment", Grid: Dim3{X: n, Y: parts}, Block: Dim3{X: threads},
		Args: []any{Out(0), In(0), In(1), index}}), nil
}

// one is a flag as a number of the kernel's text.
func one(flag bool) int {
	if flag {
		return 1
	}
	return 0
}

// tableText defines the array table. Numbers of float32 are rounded from float64 once, as the host does.
func tableText(dt tensor.Dtype, tables []augment.Table[float64]) string {
	var t strings.Builder
	fmt.Fprintf(&t, "__device__ const T table[] = {")
	for _, channel := range tables {
		for _, x := range channel {
			t.WriteString(literal(dt, x))
			t.WriteString(", ")
		}
	}
	t.WriteString("};\n")
	return t.String()
}
