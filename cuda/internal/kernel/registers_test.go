//go:build gpu && cgo && linux

package kernel

import (
	"bytes"
	"debug/elf"
	bin "encoding/binary" // binary is the name of a helper here
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/nvrtc"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// TestLargeBlocksFitTheRegisters looks at the machine code of kernels that are launched with more threads than 256: a multiprocessor
// has 65,536 registers for a block, and a launch that asks for more fails.
func TestLargeBlocksFitTheRegisters(t *testing.T) {
	t.Parallel()
	l := realNVRTC(t)
	archs := []string{"sm_80", "sm_90"}
	for _, a := range []string{"sm_100", "sm_120"} { // whose compiler takes more registers, if it may
		if !testing.Short() && compilesFor(l, a) {
			archs = append(archs, a)
		}
	}
	b, checked := builderFor(FP32), 0
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		wide := valueOf(dt, 2, 100_000)
		for _, s := range []*graph.Step{
			stepOf(&op.Softmax{}, wide, wide),
			stepOf(&op.SoftmaxGrad{}, wide, wide, wide),
			stepOf(&op.LogSoftmax{}, wide, wide),
			stepOf(&op.LogSoftmaxGrad{}, wide, wide, wide),
			stepOf(&op.SoftmaxCrossEntropy{}, valueOf(dt, 2), wide, valueOf(tensor.Int, 2)),
			stepOf(&op.SoftmaxCrossEntropyGrad{}, wide, wide, valueOf(tensor.Int, 2), valueOf(dt, 2)),
			stepOf(&op.TopKCorrect{K: 5}, valueOf(dt), wide, valueOf(tensor.Int, 2)),
			scoresStep(dt, 2, 100_000),
			stepOf(&ir.GatherGrad{}, valueOf(dt, 3), valueOf(dt, 2), valueOf(tensor.Int, 2)),
		} {
			for _, c := range commandsOf(t, b, s) {
				launch, ok := c.(*Launch)
				if !ok || launch.Block.X*max(launch.Block.Y, 1) <= threads {
					continue
				}
				for _, arch := range archs {
					registers := registersOf(t, l, launch, arch)
					require.Positive(t, registers, launch.Name)
					require.LessOrEqual(t, (registers+7)/8*8*launch.Block.X, 65536, "%s for %s: %d registers", launch.Name, arch, registers)
					checked++
				}
			}
		}
	}
	require.Equal(t, len(archs)*2*9, checked)
}

// TestNormsStayInRegisters looks for memory that kernels of batch norms, biases and max poolings use in place of registers, which costs what packs save.
// Max poolings may use a few bytes, outside of loops. Those of packs.cuh use none: where they run out of registers they wait for some packs before they
// ask for others.
func TestNormsStayInRegisters(t *testing.T) {
	t.Parallel()
	l := realNVRTC(t)
	const most = 24
	x := valueOf(tensor.Float32, 1)
	for _, x.Narrow = range []bool{false, true} {
		p := packed(tensor.Float32, view{1, 1000, 64, 1}, images{"SX": x})
		for _, c := range []struct {
			file   string
			blocks int64
		}{{"channel.cu", 0}, {"channel_grad.cu", 0}, {"stats.cu", sumBlocks}, {"norm_sums.cu", sumBlocks}, {"bias.cu", sumBlocks},
			{"stats.cu", normSharings[0].blocks}, {"norm_sums.cu", normSharings[0].blocks}, {"bias.cu", biasSharings[0].blocks}} {
			defines := append(sharing{max(c.blocks, sumBlocks), 1}.defines(), p.defines...)
			for _, arch := range []string{"sm_80", "sm_90"} {
				all := attributes(t, l, File(c.file, tensor.Float32, defines...), arch)
				require.GreaterOrEqual(t, len(all[frameSize]), 2)
				for kernel, bytes := range all[frameSize] {
					require.Zero(t, bytes, "%s of %s for %s, %d blocks", kernel, c.file, arch, c.blocks)
					require.LessOrEqual(t, (all[registers][kernel]+7)/8*8*threads*int(c.blocks), 65536, "%s for %s", kernel, arch)
				}
			}
		}
		for _, size := range []int{2, 3} {
			x, y := valueOf(tensor.Float32, 8, 32, 32, 64), valueOf(tensor.Float32, 8, 16, 16, 64)
			x.Narrow, y.Narrow = p.vec == 8, p.vec == 8
			pool := &op.MaxPool2DGrad{PoolAttrs: op.PoolAttrs{Pool: [2]int{size, size}, Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Same}}}
			launch := commandsOf(t, builderFor(BF16), stepOf(pool, x, x, y, y))[0].(*Launch)
			for _, arch := range []string{"sm_80", "sm_90"} {
				bytes, ok := attributes(t, l, launch.Source, arch)[frameSize]["max_pool_grad_walk"]
				require.True(t, ok)
				require.LessOrEqual(t, bytes, most, "pools of %d for %s", size, arch)
			}
			masked := stepOf(&graph.FusedMaxPool2DGrad{Grad: pool, Bias: true}, x, x, y, y)
			masked.Out = append(masked.Out, valueOf(tensor.Float32, 64))
			launch = commandsOf(t, builderFor(BF16), masked)[0].(*Choice).Ways[1].List[0].(*Launch)
			for _, arch := range []string{"sm_80", "sm_90"} {
				found := attributes(t, l, launch.Source, arch)
				for _, kernel := range []string{"max_pool_grad_relu", "max_pool_grad_relu_bias"} {
					require.Positive(t, found[registers][kernel])
					require.LessOrEqual(t, found[frameSize][kernel], most, "%s of %d for %s", kernel, size, arch)
				}
				require.LessOrEqual(t, (found[registers][launch.Name]+7)/8*8*launch.Block.X, 65536, "%s of %d for %s", launch.Name, size, arch)
			}
		}
	}
}

// TestUpdatesStayInRegisters looks for memory that kernels of updates by gradients that lie filters first use in place of registers, and counts
// these: a multiprocessor is to have room for as many threads as wait for enough memory.
func TestUpdatesStayInRegisters(t *testing.T) {
	t.Parallel()
	l := realNVRTC(t)
	for _, narrow := range []bool{false, true} {
		for _, arch := range []string{"sm_80", "sm_90"} {
			found := attributes(t, l, transposedSources[narrow], arch)
			require.Len(t, found[registers], 4)
			for kernel, n := range found[registers] {
				require.LessOrEqual(t, n, 64, "%s for %s", kernel, arch)
				require.LessOrEqual(t, found[frameSize][kernel], 24, "%s for %s: a few bytes beside Adam's powers, outside of the loop", kernel, arch)
			}
		}
	}
}

// TestJoinedNormsStayInRegisters looks at the kernels of batch norms in one launch, which keep what they have read: a block of 512 threads has
// 128 registers for each, and what does not fit into those would be memory.
func TestJoinedNormsStayInRegisters(t *testing.T) {
	t.Parallel()
	l := realNVRTC(t)
	checked := 0
	check := func(dt tensor.Dtype, p Precision, dims ...int) {
		for _, s := range joinedSteps(dt, 1, dims...) {
			if p == BF16 {
				narrowed(s)
			}
			launch := oneLaunch(commandsOf(t, builderFor(p), s))
			require.NotNil(t, launch, "%v of %v", s.Instr, dims)
			for _, arch := range []string{"sm_80", "sm_90"} {
				found := attributes(t, l, launch.Source, arch)
				n, ok := found[registers][launch.Name]
				require.True(t, ok)
				require.LessOrEqual(t, (n+7)/8*8*blockThreads, 65536, "%s for %s: %d registers", launch.Source.Name, arch, n)
				require.LessOrEqual(t, found[frameSize][launch.Name], 24, "%s for %s", launch.Source.Name, arch)
				checked++
			}
		}
	}
	check(tensor.Float32, BF16, 64, 64)
	check(tensor.Float32, BF16, 2000, 64) // half of a pack
	check(tensor.Float32, FP32, 64, 64)
	check(tensor.Float32, FP32, 64, 17)
	check(tensor.Float64, FP32, 64, 64)
	require.Equal(t, 5*2*9, checked)
}

// registersOf is the number of registers of a thread.
func registersOf(t *testing.T, l *nvrtc.Library, launch *Launch, arch string) int {
	return attributes(t, l, launch.Source, arch)[registers][launch.Name]
}

// Attributes of kernels: bytes of a thread's memory in place of registers, and its registers.
const frameSize, registers = 0x11, 0x2f

// attributes are those that a cubin lists of its kernels, by number and kernel, in the section .nv.info, whose entries have a format, an
// attribute and a size in front; the symbol of the kernel and the value follow.
func attributes(t *testing.T, l *nvrtc.Library, source Source, arch string) map[byte]map[string]int {
	const sized = 4
	image, log, err := l.Compile(source.Name, source.Text, "--gpu-architecture="+arch, "--std=c++17", "-default-device")
	require.NoError(t, err, log)
	image[20] = byte(elf.EV_CURRENT) // the file's version, in which NVIDIA's compilers number their own
	f, err := elf.NewFile(bytes.NewReader(image))
	require.NoError(t, err)
	symbols, err := f.Symbols() // without the first, which has no name
	require.NoError(t, err)
	info, err := f.Section(".nv.info").Data()
	require.NoError(t, err)
	all := map[byte]map[string]int{frameSize: {}, registers: {}}
	for len(info) >= 4 {
		format, attribute, value := info[0], info[1], info[4:]
		if format == sized {
			value = value[:bin.LittleEndian.Uint16(info[2:])]
			info = info[len(value):]
		}
		info = info[4:]
		if kernels := all[attribute]; format == sized && kernels != nil {
			kernels[symbols[bin.LittleEndian.Uint32(value)-1].Name] = int(bin.LittleEndian.Uint32(value[4:]))
		}
	}
	return all
}
