package kernel

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// stem is a convolution of images of few channels.
type stem struct {
	name string
	x, w tensor.Shape
	a    op.ConvAttrs
}

func padded4(n int) shape.Padding {
	return shape.Padding{Mode: shape.Explicit, Top: n, Bottom: n, Left: n, Right: n}
}

// stems are first layers of nets.
var stems = []stem{
	{"VGG-16 32²", tensor.Shape{512, 32, 32, 3}, tensor.Shape{3, 3, 3, 64}, op.ConvAttrs{Padding: padded4(1)}},
	{"SimpleCNN", tensor.Shape{1024, 32, 32, 3}, tensor.Shape{3, 3, 3, 16}, op.ConvAttrs{}},
	{"ResNet-50 224²", tensor.Shape{128, 224, 224, 3}, tensor.Shape{7, 7, 3, 64}, op.ConvAttrs{Strides: [2]int{2, 2}, Padding: padded4(3)}},
	{"ResNet-50 32²", tensor.Shape{64, 32, 32, 3}, tensor.Shape{7, 7, 3, 64}, op.ConvAttrs{Strides: [2]int{2, 2}, Padding: padded4(3)}},
	{"AlexNet", tensor.Shape{128, 227, 227, 3}, tensor.Shape{11, 11, 3, 96}, op.ConvAttrs{Strides: [2]int{4, 4}}},
	{"LeNet", tensor.Shape{128, 28, 28, 1}, tensor.Shape{5, 5, 1, 8}, op.ConvAttrs{Padding: padded4(2)}},
	{"Inception", tensor.Shape{64, 299, 299, 3}, tensor.Shape{3, 3, 3, 32}, op.ConvAttrs{Strides: [2]int{2, 2}}},
	{"seven channels", tensor.Shape{8, 64, 64, 7}, tensor.Shape{3, 3, 7, 128}, op.ConvAttrs{Padding: padded4(1)}},
}

// fewLaunches are the launches of a step of few channels: the first way of a choice, or all there is where a library would want very much
// working memory.
func fewLaunches(t *testing.T, b *Builder, s *graph.Step) []*Launch {
	commands := commandsOf(t, b, s)
	if choice, ok := commands[0].(*Choice); ok {
		require.Len(t, commands, 1)
		require.Len(t, choice.Ways, 2)
		require.Equal(t, "few channels", choice.Ways[0].Name)
		require.LessOrEqual(t, choice.Ways[0].Work, int64(mostScratch)+alignment)
		commands = choice.Ways[0].List
	}
	var all []*Launch
	for _, c := range commands {
		l, ok := c.(*Launch)
		require.True(t, ok, "%T", c)
		require.Contains(t, l.Name, "conv_few")
		all = append(all, l)
	}
	return all
}

func TestFewChannels(t *testing.T) {
	for _, c := range stems {
		for pass, s := range convSteps(t, tensor.Float32, c.x, c.w, c.a) {
			if pass == "input" {
				require.IsType(t, &Either{}, commandsOf(t, builderFor(BF16), s)[0])
				continue
			}
			for _, narrow := range []bool{false, true} {
				s.In[0].Narrow = narrow
				if pass == "filter" {
					s.In[1].Narrow = narrow
				} else {
					s.Out[0].Narrow = narrow
				}
				t.Run(fmt.Sprintf("%s %s %v", c.name, pass, narrow), func(t *testing.T) {
					for _, b := range []*Builder{builderFor(BF16), builderFor(TF32), {Multiprocessors: 1, Capability: 80, Precision: BF16}, {Capability: 120, Precision: BF16}} {
						if b.Precision == TF32 && narrow {
							continue
						}
						launches := fewLaunches(t, b, s)
						if pass == "filter" {
							require.Len(t, launches, 2)
							continue
						}
						require.Len(t, launches, 1)
						require.Equal(t, pass == "relu" || pass == "bias+relu", hasDefine(launches[0].Source, "RELU"))
						require.Equal(t, pass == "bias" || pass == "bias+relu", hasDefine(launches[0].Source, "BIAS"))
					}
				})
			}
		}
	}
}

// What the kernels do not know goes to the library.
func TestFewChannelsLeaveOthersToTheLibrary(t *testing.T) {
	x, w := tensor.Shape{4, 32, 32, 3}, tensor.Shape{3, 3, 3, 64}
	for _, c := range []struct {
		name string
		b    *Builder
		stem
	}{
		{"float32", builderFor(FP32), stem{x: x, w: w}},
		{"a GPU without tensor cores for bfloat16", &Builder{Multiprocessors: 132, Capability: 75, Precision: BF16}, stem{x: x, w: w}},
		{"eight channels", builderFor(BF16), stem{x: tensor.Shape{4, 32, 32, 8}, w: tensor.Shape{3, 3, 8, 64}}},
		{"filters that are no multiple of 8", builderFor(BF16), stem{x: x, w: tensor.Shape{3, 3, 3, 30}}},
		{"17 columns of 8 filters", builderFor(BF16), stem{x: x, w: tensor.Shape{3, 3, 3, 136}}},
		{"dilation", builderFor(BF16), stem{x: x, w: w, a: op.ConvAttrs{Dilations: [2]int{1, 2}}}},
		{"groups", builderFor(BF16), stem{x: tensor.Shape{4, 32, 32, 4}, w: tensor.Shape{3, 3, 2, 64}, a: op.ConvAttrs{Groups: 2}}},
		{"channels first", builderFor(BF16), stem{x: tensor.Shape{4, 3, 32, 32}, w: w, a: op.ConvAttrs{Format: shape.NCHW}}},
		{"patches of a transformer", builderFor(BF16), stem{x: x, w: tensor.Shape{16, 16, 3, 768}, a: op.ConvAttrs{Strides: [2]int{16, 16}}}},
		{"rows that shared memory does not hold", builderFor(BF16), stem{x: tensor.Shape{1, 8, 20000, 3}, w: w}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for pass, s := range convSteps(t, tensor.Float32, c.x, c.w, c.a) {
				requireLibrary(t, commandsOf(t, c.b, s), pass)
			}
		})
	}
	for _, s := range convSteps(t, tensor.Float64, x, w, op.ConvAttrs{}) {
		requireLibrary(t, commandsOf(t, builderFor(BF16), s), "float64")
	}
}

// requireLibrary wants a convolution by cuDNN in each of its ways.
func requireLibrary(t *testing.T, list []Command, what string) {
	t.Helper()
	if c, ok := list[0].(*Choice); ok {
		require.Equal(t, []string{apart, "cuDNN"}, namesOf(list), what)
		list = c.Ways[1].List
	}
	require.IsType(t, &Either{}, list[0], what)
}

// Blocks compute as many columns as the others, and all of them.
func TestColumnsOfFewChannels(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 2, 3: 3, 5: 5, 8: 8, 9: 3, 10: 5, 11: 0, 12: 6, 16: 8, 17: 0, 34: 0, 96: 8} {
		require.Equal(t, want, columnsOf(n, columnsOfEight), n)
	}
}

// Tiles are cut so that few warps wait, and little is read twice.
func TestRowsOfFewChannels(t *testing.T) {
	g, err := stems[2].a.Geometry(stems[2].x, stems[2].w)
	require.NoError(t, err)
	f := fewConv{convolution: convolution{g: g}, run: 12, pitch: 688}
	require.Equal(t, 2*((7*2+7)*688+2*12+2+6)/16*16, f.patch(8))
	require.Equal(t, 8, f.rowsFor(128, 1024, mostFewShared), "8 rows of 112 results are 7 for each of 4 warps, 32 at a time")
	require.Equal(t, 1, f.rowsFor(128, 1, mostFewShared), "at least a row")
	require.Equal(t, 2, f.rowsFor(128, 1024, f.patch(2)), "what has room")
	require.Zero(t, f.rowsFor(128, 1024, f.patch(1)-1))
	f.tf32 = true
	require.Equal(t, 2*2*((7*2+7)*688+2*12+2+6)/16*16, f.patch(8), "factors of twice the size")
}

// Filters for which shared memory has no room are dealt out to more blocks.
func TestFewChannelsOfLargeFilters(t *testing.T) {
	s := convSteps(t, tensor.Float32, stems[4].x, stems[4].w, stems[4].a)["forward"]
	for p, want := range map[Precision]int{BF16: 2, TF32: 3} {
		require.Equal(t, want, fewLaunches(t, builderFor(p), s)[0].Grid.Y, p)
	}
}
