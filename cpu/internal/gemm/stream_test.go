package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// writeFrom sets from how many bytes on C is fetched and written past the caches, until the test ends.
func writeFrom(t *testing.T, far, stream int) {
	t.Helper()
	oldFar, oldStream := farFrom, streamFrom
	farFrom, streamFrom = far, stream
	t.Cleanup(func() { farFrom, streamFrom = oldFar, oldStream })
}

// However C is written, it has the same bits, and nothing else is written.
func TestWrites(t *testing.T) { bothTypes(t, testWrites[float32], testWrites[float64]) }

func testWrites[T vec.Float](t *testing.T) {
	const never = math.MaxInt
	line := lineBytes / int(size[T]())
	forLevels(t, func(t *testing.T, g *Gemm[T]) {
		rng := rand.New(rand.NewPCG(7, 9))
		for _, s := range []struct {
			m, n, k, ld int // ld is what C's rows have more than n
			streams     bool
		}{
			{1, 48, 1, 0, true}, {2, 64, 0, 0, true}, {13, 96, 16, 0, true}, {257, 48, 24, 32, true}, {5, 64, 700, 0, true}, {40, 16, 20, 0, true}, {14, 80, 1200, 0, true}, {500, 64, 5, 16, true},
			{1, 1, 1, 15, false}, {77, 20, 33, 12, false}, {29, 16, 3, 5, false}, {3, 32, 0, 0, true}, {7, 5, 9, 0, false},
		} {
			for _, b := range []string{"plain", "transposed", "packed"} {
				for _, epilogue := range []bool{false, true} {
					name := fmt.Sprintf("%+v %s epilogue %t", s, b, epilogue)
					w := g.NewWorkspace(2)
					args := Args[T]{M: s.m, N: s.n, K: s.k, LDC: s.n + s.ld}
					args.A, _, _ = operand[T](t, rng, s.m, s.k, 3, false, false)
					args.B, _, _ = operand[T](t, rng, s.k, s.n, 1, b == "transposed", false)
					if b == "packed" {
						store := make([]T, g.PackedLen(s.k, s.n))
						g.Pack(nil, w, store, args.B, s.k, s.n)
						args.B = Operand[T]{Data: store, Packed: true}
					}
					if epilogue {
						args.Bias, args.ReLU = random[T](rng, s.n), true
						args.D, args.LDD, args.Beta = random[T](rng, s.m*s.n), s.n, 1
					}
					var want []T
					for _, far := range [][2]int{{never, never}, {0, never}, {0, 0}} {
						writeFrom(t, far[0], far[1])
						mem, fine := guarded[T](t, span(s.m, s.n, s.n+s.ld)+line)
						shift := int(-uintptr(unsafe.Pointer(&mem[0]))%lineBytes) / int(size[T]())
						args.C = mem[shift:]
						for _, threads := range workers(1, 2) {
							p := pool.New(threads)
							g.Run(p, w, &args)
							p.Close()
							got := dense(args.C, s.m, s.n, s.n+s.ld)
							if want == nil {
								want = got
							}
							require.Equal(t, want, got, name)
							for i, x := range mem {
								if at := i - shift; x == x && (at < 0 || at%(s.n+s.ld) >= s.n || at/(s.n+s.ld) >= s.m) {
									require.Failf(t, "written beyond C", "%s: element %d", name, at)
								}
							}
							if s.k < kcMax || b == "packed" { // else C may be written several times, or once
								require.Equal(t, far[1] == 0 && s.streams && s.n > g.k.nr && g.k.fence != nil && !swap(&args), w.job.stream, name)
							}
						}
						fine()
					}
				}
			}
		}
	})
}

// A C that is read again soon stays in the caches: one that is watched, and a residual that is C itself.
func TestWhatIsReadAgainIsKept(t *testing.T) {
	g := New[float32](cpuid.Best())
	if g.k.fence == nil {
		t.Skip("these kernels do not write past the caches")
	}
	writeFrom(t, 0, 0)
	const m, n, k = 300, 64, 8
	mem := make([]float32, m*n+16)
	c := mem[int(-uintptr(unsafe.Pointer(&mem[0]))%lineBytes)/4:][:m*n]
	a, b := Operand[float32]{Data: make([]float32, m*k)}, Operand[float32]{Data: make([]float32, k*n)}
	w := g.NewWorkspace(1)
	for name, x := range map[string]struct {
		change  func(a *Args[float32])
		streams bool
	}{
		"plain":                  {func(*Args[float32]) {}, true},
		"with a residual":        {func(a *Args[float32]) { a.D, a.Beta = make([]float32, m*n), 1 }, true},
		"added to C":             {func(a *Args[float32]) { a.Beta = 1 }, false},
		"with C as the residual": {func(a *Args[float32]) { a.D, a.Beta = c, 1 }, false},
		"watched": {func(a *Args[float32]) {
			a.Watch = &watching[float32]{t: t, m: m, n: n, size: g.WatchedRows(), c: c, seen: nans(m * n)}
		}, false},
		"not at a line's begin":   {func(a *Args[float32]) { a.C, a.M = c[1:], m-1 }, false},
		"rows that share a line":  {func(a *Args[float32]) { a.LDC, a.M = n+8, m/2 }, false},
		"for a sink":              {func(a *Args[float32]) { a.Sink = nowhere[float32]{} }, false},
		"one panel, in order":     {func(a *Args[float32]) { a.N, a.B.LD, a.LDC = 32, n, 32 }, g.k.nr < 32},
		"a gradient with deep K":  {func(a *Args[float32]) { a.A.Trans = true }, false},
		"rows that end in a line": {func(a *Args[float32]) { a.N, a.B.LD, a.LDC = n-8, n, n }, false},
	} {
		args := Args[float32]{M: m, N: n, K: k, A: a, B: b, C: c}
		x.change(&args)
		g.Run(nil, w, &args)
		require.Equal(t, x.streams, w.job.stream, name)
	}
}

type nowhere[T vec.Float] struct{}

func (nowhere[T]) Take(int, int, []T, int, int, int, int, int) {}

func nans(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = nan[float32]()
	}
	return x
}
