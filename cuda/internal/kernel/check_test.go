package kernel

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// What every NVIDIA GPU since compute capability 7.0 can do.
const (
	mostBlocksX   = 1<<31 - 1
	mostBlocksYZ  = 65535
	mostThreads   = 1024
	mostThreadsZ  = 64
	mostShared    = 48 << 10 // without asking for more
	mostArguments = 4096     // bytes
	mostUnbounded = 256      // threads that have registers enough whatever a kernel takes: there are 65,536 of them, and a thread has 255 at most
)

// builderFor is a builder for a device of 132 multiprocessors.
func builderFor(p Precision) *Builder {
	return &Builder{Multiprocessors: 132, Capability: 90, Precision: p, AnyOrder: true}
}

// valueOf is a value of a plan.
func valueOf(dt tensor.Dtype, dims ...int) *graph.Value {
	return &graph.Value{Dtype: dt, Shape: tensor.Shape(dims)}
}

// stepOf is a step with one result.
func stepOf(instr graph.Instr, out *graph.Value, in ...*graph.Value) *graph.Step {
	return &graph.Step{Instr: instr, Out: []*graph.Value{out}, In: in}
}

// copyOf is a step with values of its own.
func copyOf(s *graph.Step) *graph.Step {
	c := &graph.Step{Instr: s.Instr}
	for _, v := range s.In {
		c.In = append(c.In, valueOf(v.Dtype, v.Shape...))
	}
	for _, v := range s.Out {
		c.Out = append(c.Out, valueOf(v.Dtype, v.Shape...))
	}
	return c
}

// narrowed makes all values of a step narrow that may be.
func narrowed(s *graph.Step) *graph.Step {
	in, out, _ := Narrows(s)
	for i, can := range in {
		s.In[i].Narrow = can && s.In[i].Dtype == tensor.Float32
	}
	for i, can := range out {
		s.Out[i].Narrow = can && s.Out[i].Dtype == tensor.Float32
	}
	return s
}

// commandsOfNarrowed decides on a step whose values are narrow that may be, and checks the commands if there are any.
func commandsOfNarrowed(t testing.TB, s *graph.Step) []Command {
	t.Helper()
	b := builderFor(BF16)
	s = narrowed(copyOf(s))
	commands, err := Commands(b, s)
	require.NoError(t, err)
	checkLaunches(t, b, s, commands)
	return commands
}

// commandsOf decides on a step, requires that it runs on the device, and checks the commands.
func commandsOf(t testing.TB, b *Builder, s *graph.Step) []Command {
	t.Helper()
	commands, err := Commands(b, s)
	require.NoError(t, err)
	require.NotNil(t, commands, "%s runs on the host", s.Instr)
	checkLaunches(t, b, s, commands)
	return commands
}

// checkLaunches requires that a device can carry the commands of a step out: limits of grids and blocks, the number and the
// types of the arguments against the parameters of the kernels' texts, and pointers that stay within their memory.
func checkLaunches(t testing.TB, b *Builder, s *graph.Step, commands []Command) {
	t.Helper()
	for i, c := range commands {
		if err := checkCommand(b, s, c); err != nil {
			t.Errorf("%s: command %d, %T: %v", s.Instr, i, c, err)
		}
	}
}

func checkCommand(b *Builder, s *graph.Step, c Command) error {
	switch c := c.(type) {
	case *Launch:
		return checkLaunch(b, s, c)
	case *Fill:
		return checkPointer(b, s, c.To, c.Bytes)
	case *Move:
		return firstError(checkPointer(b, s, c.To, c.Bytes), checkPointer(b, s, c.From, c.Bytes))
	case *Check:
		if c.In < 0 || c.In >= len(s.In) || c.Fn == nil {
			return fmt.Errorf("it looks at operand %d of %d", c.In, len(s.In))
		}
		return nil
	case *Either:
		return checkEither(b, s, c)
	case *Choice:
		return checkChoice(b, s, c)
	case *Gemm:
		return checkGemm(b, s, c)
	case *Convolution:
		return checkConvolution(b, s, c)
	}
	return fmt.Errorf("unknown command")
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkEither(b *Builder, s *graph.Step, c *Either) error {
	calls := 0
	for i, try := range c.Try {
		switch try.(type) {
		case *Gemm, *Convolution:
			calls++
		case *Either:
			return fmt.Errorf("one Either is in another")
		}
		if err := checkCommand(b, s, try); err != nil {
			return fmt.Errorf("Try %d, %T: %w", i, try, err)
		}
	}
	if calls != 1 {
		return fmt.Errorf("%d calls of a library, not 1", calls)
	}
	if len(c.Else) == 0 {
		return fmt.Errorf("nothing to do without the library")
	}
	for i, other := range c.Else {
		switch other.(type) {
		case *Launch, *Fill, *Move:
		default:
			return fmt.Errorf("Else %d is a %T", i, other)
		}
		if err := checkCommand(b, s, other); err != nil {
			return fmt.Errorf("Else %d: %w", i, err)
		}
	}
	return nil
}

// checkChoice requires ways that can be told apart and run by themselves, one of them in any case.
func checkChoice(b *Builder, s *graph.Step, c *Choice) error {
	if len(c.Ways) < 2 {
		return fmt.Errorf("a choice between %d ways", len(c.Ways))
	}
	names, sure := map[string]bool{}, false
	for _, w := range c.Ways {
		if w.Name == "" || names[w.Name] || len(w.List) == 0 || w.Work > b.Work() {
			return fmt.Errorf("way %q with %d commands and %d bytes of %d", w.Name, len(w.List), w.Work, b.Work())
		}
		names[w.Name] = true
		asks := false
		for i, x := range w.List {
			switch x := x.(type) {
			case *Choice, *Check:
				return fmt.Errorf("way %q: command %d is a %T", w.Name, i, x)
			case *Gemm, *Convolution:
				asks = true
			case *Launch:
				for _, a := range x.Args {
					if _, ok := a.(Late); ok {
						return fmt.Errorf("way %q: kernel %s has an argument that changes between runs", w.Name, x.Name)
					}
				}
			}
			if err := checkCommand(b, s, x); err != nil {
				return fmt.Errorf("way %q: command %d, %T: %w", w.Name, i, x, err)
			}
		}
		sure = sure || !asks
	}
	if !sure {
		return fmt.Errorf("nothing to do where libraries take none of the ways")
	}
	return nil
}

func checkGemm(b *Builder, s *graph.Step, c *Gemm) error {
	if c.M < 1 || c.N < 1 || c.K < 1 || c.Batch < 0 {
		return fmt.Errorf("a product of %d×%d×%d, batch %d", c.M, c.N, c.K, c.Batch)
	}
	size, last := int64(c.Dtype.Size()), int64(max(c.Batch, 1)-1)
	extent := func(stride int64, rows, cols int, rounded bool) int64 {
		n := last*stride + int64(rows)*int64(cols)
		if rounded {
			return 2 * n
		}
		return n * size
	}
	err := firstError(checkPointer(b, s, c.A, extent(c.StrideA, c.M, c.K, c.RoundedAB)), checkPointer(b, s, c.B, extent(c.StrideB, c.K, c.N, c.RoundedAB)),
		checkPointer(b, s, c.C, extent(c.StrideC, c.M, c.N, c.RoundedC)))
	if err == nil && c.RoundedC && (!c.RoundedAB || c.Bias != nil) {
		err = fmt.Errorf("a result of bfloat16 of factors that are not, or with a bias")
	}
	if err == nil && c.Bias != nil {
		err = checkPointer(b, s, *c.Bias, int64(c.N)*size)
	}
	return err
}

func checkConvolution(b *Builder, s *graph.Step, c *Convolution) error {
	if c.Groups < 1 || c.C%c.Groups != 0 || c.K%c.Groups != 0 {
		return fmt.Errorf("%d groups of %d and %d channels", c.Groups, c.C, c.K)
	}
	reachH, reachW := (c.R-1)*c.Dilation[0]+1, (c.S-1)*c.Dilation[1]+1
	if h, w := (c.H+c.Top+c.Bottom-reachH)/c.Stride[0]+1, (c.W+c.Left+c.Right-reachW)/c.Stride[1]+1; h != c.OH || w != c.OW {
		return fmt.Errorf("a result of %d×%d, its attributes give %d×%d", c.OH, c.OW, h, w)
	}
	if (c.Bias != nil || c.ReLU) && c.Pass != Forward {
		return fmt.Errorf("bias or ReLU in a backward pass")
	}
	size := int64(c.Dtype.Size())
	if c.Rounded {
		size = 2
	}
	extent := func(dims ...int) int64 { return int64(op.Len(dims)) * size }
	err := firstError(checkPointer(b, s, c.X, extent(c.N, c.H, c.W, c.C)), checkPointer(b, s, c.Filter, extent(c.K, c.R, c.S, c.C/c.Groups)),
		checkPointer(b, s, c.Y, extent(c.N, c.OH, c.OW, c.K)))
	if err == nil && c.Bias != nil {
		err = checkPointer(b, s, *c.Bias, int64(c.K)*int64(c.Dtype.Size()))
	}
	if err == nil && c.Residual != nil {
		if c.Pass != Forward || c.Sums != nil || *c.Residual == c.Y {
			return fmt.Errorf("a residual in pass %d, with sums %v, at %v", c.Pass, c.Sums, *c.Residual)
		}
		err = checkPointer(b, s, *c.Residual, extent(c.N, c.OH, c.OW, c.K))
	}
	if c.Select && c.Mask == nil {
		return fmt.Errorf("a selection without a mask in pass %d", c.Pass)
	}
	if err == nil && c.Mask != nil {
		if c.Pass != BackwardInput || c.Dtype != tensor.Float32 || *c.Mask == c.X {
			return fmt.Errorf("a mask in pass %d, of %v, at %v", c.Pass, c.Dtype, *c.Mask)
		}
		err = checkPointer(b, s, *c.Mask, extent(c.N, c.H, c.W, c.C))
	}
	if err == nil && c.Sums != nil {
		bytes := 2 * 4 * int64(c.K)
		if c.Pass == BackwardInput && c.Mask != nil {
			bytes = 4 * int64(c.C)
		} else if c.Pass != Forward || c.Dtype != tensor.Float32 || c.ReLU || c.Precision == FP32 {
			return fmt.Errorf("sums in pass %d, of %v and %v", c.Pass, c.Dtype, c.Precision)
		}
		err = checkPointer(b, s, *c.Sums, bytes)
	}
	return err
}

// checkPointer requires that some bytes behind a pointer belong to its memory, and that it is aligned for any element.
func checkPointer(b *Builder, s *graph.Step, p Pointer, bytes int64) error {
	var room int64
	switch {
	case p.Base == WorkBase:
		room = b.Work()
	case p.Base == OutBase && p.Index >= 0 && p.Index < len(s.Out):
		room = int64(s.Out[p.Index].StoredBytes())
	case p.Base == InBase && p.Index >= 0 && p.Index < len(s.In):
		room = int64(s.In[p.Index].StoredBytes())
	case p.Base == PackBase && p.Index >= 0 && p.Index < len(b.Packs):
		room = b.Packs[p.Index].Bytes()
	case p.Base == CounterBase:
		room = b.CounterBytes()
	default:
		return fmt.Errorf("pointer %+v to nothing", p)
	}
	if p.Offset < 0 || bytes < 0 || p.Offset+bytes > room {
		return fmt.Errorf("%d bytes at pointer %+v, whose memory has %d", bytes, p, room)
	}
	return nil
}

func checkLaunch(b *Builder, s *graph.Step, l *Launch) error {
	g, k := l.Grid, l.Block
	if g.X < 1 || g.X > mostBlocksX || g.Y < 0 || g.Y > mostBlocksYZ || g.Z < 0 || g.Z > mostBlocksYZ {
		return fmt.Errorf("kernel %s: a grid of %+v", l.Name, g)
	}
	n := k.X * max(k.Y, 1) * max(k.Z, 1)
	if k.X < 1 || k.Y < 0 || k.Z < 0 || k.Z > mostThreadsZ || n > mostThreads {
		return fmt.Errorf("kernel %s: a block of %+v", l.Name, k)
	}
	if n > mostUnbounded && !regexp.MustCompile(`(?m)^KERNEL __launch_bounds__\(.+\) `+l.Name+`\(`).MatchString(l.Source.Text) {
		return fmt.Errorf("kernel %s: a block of %d threads, which the compiler must be told by __launch_bounds__", l.Name, n)
	}
	shared := mostShared
	if strings.HasPrefix(l.Name, "conv_few") { // for tensor cores of compute capability 8.0 and above, where a launch may ask for more
		shared = 99 << 10
	}
	if l.Shared < 0 || l.Shared > shared {
		return fmt.Errorf("kernel %s: %d bytes of shared memory", l.Name, l.Shared)
	}
	params, err := parameters(l.Source.Text, l.Name)
	if err != nil {
		return fmt.Errorf("kernel %s of %s: %w", l.Name, l.Source.Name, err)
	}
	if len(params) != len(l.Args) {
		return fmt.Errorf("kernel %s takes %d arguments %v, not %d", l.Name, len(params), params, len(l.Args))
	}
	total := 0
	for i, a := range l.Args {
		n, err := checkArgument(b, s, l.Source.Text, params[i], a)
		if err != nil {
			return fmt.Errorf("kernel %s: argument %d: %w", l.Name, i, err)
		}
		total += (n + 7) / 8 * 8
	}
	if total > mostArguments {
		return fmt.Errorf("kernel %s: %d bytes of arguments", l.Name, total)
	}
	return nil
}

// checkArgument compares an argument with the type of its parameter and returns its bytes.
func checkArgument(b *Builder, s *graph.Step, text, param string, a any) (int, error) {
	want := goTypes[param]
	if strings.HasSuffix(param, "*") {
		want = "kernel.Pointer"
	}
	got := fmt.Sprintf("%T", a)
	switch a := a.(type) {
	case Pointer:
		if err := checkPointer(b, s, a, 0); err != nil {
			return 0, err
		}
	case Late:
		got = "int64"
	case Table:
		for _, p := range a.At {
			if err := checkPointer(b, s, p, 0); err != nil {
				return 0, err
			}
		}
		if 8*len(a.At) > len(a.Bytes) {
			return 0, fmt.Errorf("%d addresses in %d bytes", len(a.At), len(a.Bytes))
		}
		return checkArgument(b, s, text, param, a.Bytes)
	case Bytes:
		size, _, err := sizeOf(text, param)
		if err != nil || want != "" {
			return 0, fmt.Errorf("a struct for a %s (%v)", param, err)
		}
		if size != len(a) {
			return 0, fmt.Errorf("%d bytes for struct %s of %d", len(a), param, size)
		}
		return len(a), nil
	}
	if got != want {
		return 0, fmt.Errorf("a %s for a %s", got, param)
	}
	return 8, nil
}

func TestCheckLaunchesFindsMistakes(t *testing.T) {
	const text = `
struct Pair { i64 a; int b[COUNT], c; };
#define COUNT 3
// KERNEL k(int only)
KERNEL __launch_bounds__(256) k(T *y, const T *__restrict__ x, i64 n, const Pair p, float f) {}
KERNEL unbounded(T *y, const T *x, i64 n, const Pair p, float f) {}
`
	b, s := builderFor(FP32), stepOf(&graph.Copy{}, valueOf(tensor.Float32, 4), valueOf(tensor.Float32, 4))
	good := func() *Launch {
		return &Launch{Source: Text("test", tensor.Float32, text), Name: "k", Grid: Dim3{X: 1}, Block: Dim3{X: 256},
			Args: []any{Out(0), In(0), int64(4), Bytes(make([]byte, 24)), float32(1)}}
	}
	require.NoError(t, checkCommand(b, s, good()))
	for want, spoil := range map[string]func(l *Launch){
		"a grid of":         func(l *Launch) { l.Grid.Y = 65536 },
		"a block of":        func(l *Launch) { l.Block.Y = 5 },
		"told by":           func(l *Launch) { l.Block.Y, l.Name = 2, "unbounded" },
		"shared memory":     func(l *Launch) { l.Shared = 1 << 20 },
		"0 kernels":         func(l *Launch) { l.Name = "other" },
		"takes 5 arguments": func(l *Launch) { l.Args = l.Args[1:] },
		"a int for a long":  func(l *Launch) { l.Args[2] = 4 },
		"a float64 for a":   func(l *Launch) { l.Args[4] = 1.0 },
		"16 bytes for":      func(l *Launch) { l.Args[3] = Bytes(make([]byte, 16)) },
		"to nothing":        func(l *Launch) { l.Args[1] = In(1) },
		"whose memory has":  func(l *Launch) { l.Args[1] = In(0).At(17) },
	} {
		l := good()
		spoil(l)
		require.ErrorContains(t, checkCommand(b, s, l), want)
	}
	require.ErrorContains(t, checkCommand(b, s, &Move{To: Out(0), From: In(0), Bytes: 20}), "20 bytes")
	way := func(name string, list ...Command) Way { return Way{Name: name, List: list} }
	require.NoError(t, checkCommand(b, s, &Choice{[]Way{way("a", good()), way("b", good())}}))
	gemm := &Gemm{Dtype: tensor.Float32, M: 1, N: 1, K: 1, A: In(0), B: In(0), C: Out(0)}
	for want, c := range map[string]*Choice{
		"between 1 ways":                     {[]Way{way("a", good())}},
		`way "a" with 1 commands`:            {[]Way{way("a", good()), way("a", good())}},
		`way "b" with 0 commands`:            {[]Way{way("a", good()), way("b")}},
		"is a *kernel.Check":                 {[]Way{way("a", good()), way("b", &Check{Fn: func(op.Array) error { return nil }})}},
		"is a *kernel.Choice":                {[]Way{way("a", good()), way("b", &Choice{})}},
		`way "b": command 0, *kernel.Either`: {[]Way{way("a", good()), way("b", &Either{})}},
		"take none of the ways":              {[]Way{way("a", gemm), way("b", gemm)}},
	} {
		require.ErrorContains(t, checkCommand(b, s, c), want)
	}
	require.ErrorContains(t, checkCommand(b, s, &Either{Try: []Command{good()}, Else: []Command{good()}}), "0 calls")
}
