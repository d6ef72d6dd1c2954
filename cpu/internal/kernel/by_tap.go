package kernel

import (
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/graph/op"
)

// byTap is a convolution on a map of a few pixels, as tinyConv is, for a frozen filter: that is packed tap by tap, without the
// taps that see padding only, and each tap's part is read from memory once, for all the positions that see something through it.
type byTap[T Float] struct {
	g       op.ConvGeometry
	o       ConvOptions
	after   *after[T]
	env     Env[T]
	product groupedProduct[T] // packs
	taps    []int             // that see the image
	rows    []seenRows        // by tap
	blind   []int             // output positions that see nothing
	tapLen  int               // of a tap's packed part
	depth   int               // of a product, in packed elements

	apart  area[T] // for the images position by position, where their rows would collide in the cache or are rounded; empty where not
	ld     int     // from image to image of a position
	gather phase
	images split

	panels  split // panels of filters
	loop    phase
	workers []tapWorker[T]

	y, x, u, bias, residual, pixels []T // of the current run
}

type tapWorker[T Float] struct {
	direct gemm.Direct[T]
	_      [64]byte // the next worker's begin in another cache line
}

// seenRows is what one tap sees: an input position of all images that belongs to an output position, or, of a single image, as
// many of both as follow each other.
type seenRows struct {
	tap         int // number in taps
	out, in     int
	count       int
	first, last bool // of the taps of its output positions
}

// tapWork is how many multiplications, or the time of so many, are worth a part.
const tapWork = 1 << 18

// tapsOf lists what the taps see.
func tapsOf(g op.ConvGeometry) (taps []int, rows []seenRows, blind []int) {
	pixels := g.H.Out * g.W.Out
	seen, left := make([]int, pixels), make([]int, pixels)
	sights := sightsOf(g)
	for _, s := range sights {
		left[s.out]++
	}
	for out, n := range left {
		if n == 0 {
			blind = append(blind, out)
		}
	}
	for t, list := range groupBy(sights, g.H.Kernel*g.W.Kernel, func(s sight) int { return s.tap }) {
		if len(list) == 0 {
			continue
		}
		for i, s := range list {
			left[s.out]--
			r := seenRows{tap: len(taps), out: s.out, in: s.in, count: 1, first: seen[s.out] == 0, last: left[s.out] == 0}
			seen[s.out]++
			if i > 0 && g.N == 1 {
				if l := &rows[len(rows)-1]; l.out+l.count == r.out && l.in+l.count == r.in && l.first == r.first && l.last == r.last {
					l.count++
					continue
				}
			}
			rows = append(rows, r)
		}
		taps = append(taps, t)
	}
	return taps, rows, blind
}

func newByTap[T Float](e Env[T], s *Scratch[T], g op.ConvGeometry, o ConvOptions, then *after[T]) *byTap[T] {
	k := &byTap[T]{g: g, o: o, after: then, env: e, workers: make([]tapWorker[T], e.Pool.Threads())}
	k.taps, k.rows, k.blind = tapsOf(g)
	k.product = newGroupedProduct(e, s, []gemm.Args[T]{{M: 1, N: g.F, K: g.C}})
	k.tapLen = e.Gemm.PackedLen(g.C, g.F)
	k.depth = ceilDiv(g.C, e.Gemm.Fold())
	k.ld = g.H.In * g.W.In * g.C
	if g.N > leastRows && linesCollide[T](k.ld) || e.Gemm.Rounds() {
		k.ld = spacedLine[T](k.depth)
		k.apart = s.reserve(g.H.In * g.W.In * g.N * k.ld)
		k.images = splitBy(g.N, g.H.In*g.W.In*g.C)
		k.gather = newPhase(e.Pool, k.images.parts, k.gatherPart)
	}
	products := 0
	for _, r := range k.rows {
		products += max(r.count*g.N, gemm.StreamRows)
	}
	panels := (g.F + e.Gemm.PanelWidth() - 1) / e.Gemm.PanelWidth()
	k.panels = splitInto(panels, products*g.C*g.F/tapWork)
	k.loop = newPhase(e.Pool, k.panels.parts, k.part)
	return k
}

func (k *byTap[T]) packed() int { return len(k.taps) * k.tapLen }

func (k *byTap[T]) pack(s *Scratch[T], u, w []T) {
	for i, t := range k.taps {
		k.product.pack(s, u[i*k.tapLen:(i+1)*k.tapLen], gemm.Operand[T]{Data: w[t*k.g.C*k.g.F:]}, k.g.C, k.g.F)
	}
}

func (k *byTap[T]) run(s *Scratch[T], y, x, w, bias, residual []T) {
	k.y, k.x, k.u, k.bias, k.residual = y, x, w, bias, residual
	if k.apart.n > 0 {
		k.pixels = k.apart.of(s)
		k.gather.run()
	}
	k.loop.run()
}

// gatherPart copies some images, position by position, as products take them.
func (k *byTap[T]) gatherPart(_, part int) {
	lo, hi := k.images.bounds(part)
	all := k.g.H.In * k.g.W.In
	for n := lo; n < hi; n++ {
		for p := range all {
			to, from := k.pixels[(p*k.g.N+n)*k.ld:][:k.depth], k.x[(n*all+p)*k.g.C:][:k.g.C]
			if k.env.Gemm.Rounds() {
				k.env.Gemm.Round(to, k.depth, from, k.g.C, 1, k.g.C)
			} else {
				copy(to, from)
			}
		}
	}
}

// part computes some panels of filters at all positions.
func (k *byTap[T]) part(worker, part int) {
	lo, hi := k.panels.bounds(part)
	width := k.env.Gemm.PanelWidth()
	for j := lo * width; j < min(hi*width, k.g.F); j += width {
		for i := range k.rows {
			k.columns(worker, &k.rows[i], j, min(width, k.g.F-j))
		}
		for _, out := range k.blind {
			k.fill(worker, out, j, min(width, k.g.F-j))
		}
	}
}

// columns computes one product for the filters [j, j+n).
func (k *byTap[T]) columns(worker int, r *seenRows, j, n int) {
	g, d := &k.g, &k.workers[worker].direct
	d.M, d.N, d.K = g.N, n, k.depth
	d.LDC = g.H.Out * g.W.Out * g.F
	switch {
	case g.N == 1:
		d.M, d.LDA, d.LDC = r.count, g.C, g.F
		d.A = k.x[r.in*g.C:]
		if k.apart.n > 0 {
			d.A, d.LDA = k.pixels[r.in*k.ld:], k.ld
		}
	case k.apart.n > 0:
		d.A, d.LDA = k.pixels[r.in*g.N*k.ld:], k.ld
	default:
		d.A, d.LDA = k.x[r.in*g.C:], k.ld
	}
	d.B = k.u[r.tap*k.tapLen+j*k.depth:]
	d.C = k.y[r.out*g.F+j:]
	d.Add, d.D, d.Bias, d.ReLU = !r.first, nil, nil, false
	if r.first && k.residual != nil {
		d.Add, d.D, d.LDD = true, k.residual[r.out*g.F+j:], d.LDC
	}
	if r.last {
		d.ReLU = k.o.ReLU
		if k.bias != nil {
			d.Bias = k.bias[j:]
		}
	}
	d.Run(k.env.Gemm)
	if r.last {
		k.after.Apply(worker, d.C, d.LDC, d.M, d.N)
	}
}

// fill stores what a position has without a product.
func (k *byTap[T]) fill(worker, out, j, n int) {
	for image := range k.g.N {
		at := (image*k.g.H.Out*k.g.W.Out+out)*k.g.F + j
		y := k.y[at:][:n]
		if k.residual != nil {
			copy(y, k.residual[at:])
		} else {
			clear(y)
		}
		if k.bias != nil {
			add(y, y, k.bias[j:][:n])
		}
		if k.o.ReLU {
			relu(y, y)
		}
		k.after.Apply(worker, y, n, 1, n)
	}
}
