package winograd

import (
	"fmt"
	"math"
	"runtime"
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
)

const (
	Side   = 4  // outputs of a tile down and across
	Reach  = 6  // pixels a tile reads down and across
	Points = 36 // products of a tile
)

// Grid is how images are cut into tiles. Tile number (n·Down + i)·Across + j holds the outputs from (4i, 4j) on of image n.
// Make it with [NewGrid].
type Grid struct {
	N, H, W, C       int // the images that tiles read: NHWC, W·C elements from row to row
	Top, Left        int // padding in front of them; behind them there may be any
	OutH, OutW, OutC int // the images of the result, OutC elements from pixel to pixel
	Down, Across     int // tiles of an image

	zeros []float32 // a row of pixels that stands for rows outside of an image or of a result
}

// NewGrid cuts images of outH×outW×outC results that read images of h×w×c.
func NewGrid(n, h, w, c, top, left, outH, outW, outC int) *Grid {
	return &Grid{N: n, H: h, W: w, C: c, Top: top, Left: left, OutH: outH, OutW: outW, OutC: outC,
		Down: (outH + Side - 1) / Side, Across: (outW + Side - 1) / Side, zeros: make([]float32, max(Reach*c, Side*outC))}
}

// Tiles is the number of tiles of all images.
func (g *Grid) Tiles() int { return g.N * g.Down * g.Across }

// place returns the image of a tile and where its outputs begin.
func (g *Grid) place(tile int) (n, row, col int) {
	n, tile = tile/(g.Down*g.Across), tile%(g.Down*g.Across)
	return n, tile / g.Across * Side, tile % g.Across * Side
}

// Ops is the transforms of one instruction-set level.
type Ops struct{ level cpuid.Level }

// For returns the transforms of a level. A level above what the machine has is lowered to cpuid.Best.
func For(l cpuid.Level) Ops { return Ops{min(l, cpuid.Best())} }

// Level returns the instruction-set level in use.
func (o Ops) Level() cpuid.Level { return o.level }

// inputTile is the argument of the input transform, which reads its fields by offset. Strides are in bytes.
type inputTile struct {
	base  [Reach]unsafe.Pointer // what the offsets of the six rows count from
	off   [Reach]int            // of pixel 0 of each row, which may lie outside of the image
	pixel uintptr               // from pixel to pixel
	dst   unsafe.Pointer        // point 0
	point uintptr               // from point to point
	n     uintptr               // channels
	cols  [Reach]int32          // -1 for columns inside the image, else 0
	part  uint32                // 1 if some are outside
}

// outputTile is the argument of the output transform.
type outputTile struct {
	src      unsafe.Pointer // point 0
	point    uintptr        // from point to point
	dst      unsafe.Pointer // output (0, 0)
	row      uintptr        // from row to row of outputs,
	pixel    uintptr        // from column to column
	bias     unsafe.Pointer // nil for none
	residual unsafe.Pointer // laid out like the outputs; nil for none
	n        uintptr        // filters
	cols     uintptr        // columns to be written
	rows     [Side]int32    // -1 for rows to be written, else 0
	part     uint32         // 1 if not all rows and columns are
	floor    float32        // 0 for ReLU, else -Inf
	spill    [24 * 8]float32
}

// Input writes Bᵀ·d·B of tiles first … first+count-1: of channel c < n, point p of tile first+i goes to
// v[p·point + i·ld + c]. x is the images from the first of the channels on.
func (o Ops) Input(v []float32, point, ld int, x []float32, g *Grid, first, count, n int) {
	if count == 0 || n == 0 {
		return
	}
	reaches("Input", "v", v, (Points-1)*point+(count-1)*ld+n)
	reaches("Input", "x", x, (g.N*g.H*g.W-1)*g.C+n)
	t := inputTile{pixel: bytes(g.C), point: bytes(point), n: uintptr(n)}
	image, row, col := g.place(first)
	for i := range count {
		for r := range t.base {
			if h := row - g.Top + r; h >= 0 && h < g.H {
				t.base[r] = unsafe.Pointer(&x[0])
				t.off[r] = 4 * (((image*g.H+h)*g.W + col - g.Left) * g.C)
			} else {
				t.base[r], t.off[r] = unsafe.Pointer(&g.zeros[0]), 0
			}
		}
		t.part = 0
		for j := range t.cols {
			t.cols[j] = -1
			if w := col - g.Left + j; w < 0 || w >= g.W {
				t.cols[j], t.part = 0, 1
			}
		}
		t.dst = unsafe.Pointer(&v[i*ld])
		o.input(&t)
		if col += Side; col >= g.OutW {
			if col, row = 0, row+Side; row >= g.OutH {
				row, image = 0, image+1
			}
		}
	}
	runtime.KeepAlive(x)
}

// Filter writes G·g·Gᵀ of n filters, at most [Ops.Lanes] of them, and count channels: point p of filter j and channel k goes to
// u[p·point + k·step + j]. It writes whole vectors, zeros behind the n filters. Tap t = 3·row + column of them is
// w[t·tap + k·ld + j], or with flip that of tap 8-t, for gradients with respect to images.
func (o Ops) Filter(u []float32, point, step int, w []float32, tap, ld, count, n int, flip bool) {
	if count == 0 {
		return
	}
	reaches("Filter", "u", u, (Points-1)*point+(count-1)*step+o.Lanes())
	if n > 0 {
		reaches("Filter", "w", w, 8*tap+(count-1)*ld+n)
	} else {
		w, tap, ld = none[:], 0, 0
	}
	src, stride := unsafe.Pointer(&w[0]), bytes(tap)
	if flip {
		src, stride = unsafe.Pointer(&w[8*tap]), -stride
	}
	o.filter(&u[0], bytes(point), bytes(step), (*float32)(src), stride, bytes(ld), uintptr(count), uintptr(n))
	runtime.KeepAlive(w)
}

// none stands for filters that there are none of.
var none [1]float32

// Epilogue is what the output transform does to its sums: max(· + Bias + Residual, 0), each part if it is asked for.
type Epilogue struct {
	Bias     []float32 // one element a filter, from the first on; nil for none
	Residual []float32 // laid out like the results; nil for none
	ReLU     bool      // NaN stays NaN
}

// Output writes Aᵀ·m·A of tiles first … first+count-1 with the epilogue: of filter f < n, point p of tile first+i is
// m[p·point + i·ld + f]. y is the results from the first of the filters on.
func (o Ops) Output(y, m []float32, point, ld int, g *Grid, first, count, n int, e *Epilogue) {
	if count == 0 || n == 0 {
		return
	}
	reaches("Output", "m", m, (Points-1)*point+(count-1)*ld+n)
	last := (g.N*g.OutH*g.OutW-1)*g.OutC + n
	reaches("Output", "y", y, last)
	var t outputTile
	t.point, t.row, t.pixel, t.n = bytes(point), bytes(g.OutW*g.OutC), bytes(g.OutC), uintptr(n)
	if e.Bias != nil {
		reaches("Output", "the bias", e.Bias, n)
		t.bias = unsafe.Pointer(&e.Bias[0])
	}
	if e.Residual != nil {
		reaches("Output", "the residual", e.Residual, last)
	}
	t.floor = float32(math.Inf(-1))
	if e.ReLU {
		t.floor = 0
	}
	image, row, col := g.place(first)
	for i := range count {
		at := ((image*g.OutH+row)*g.OutW + col) * g.OutC
		t.src, t.dst = unsafe.Pointer(&m[i*ld]), unsafe.Pointer(&y[at])
		if e.Residual != nil {
			t.residual = unsafe.Pointer(&e.Residual[at])
		}
		t.part, t.cols = 0, uintptr(min(Side, g.OutW-col))
		if t.cols < Side {
			t.part = 1
		}
		for r := range t.rows {
			t.rows[r] = -1
			if row+r >= g.OutH {
				t.rows[r], t.part = 0, 1
			}
		}
		o.output(&t)
		if col += Side; col >= g.OutW {
			if col, row = 0, row+Side; row >= g.OutH {
				row, image = 0, image+1
			}
		}
	}
}

// Outputs says of tiles first … first+count-1, as many of them as lie in the first one's row of tiles, where their first result is in the
// results, how many rows and columns they have, and how many tiles they are.
func (g *Grid) Outputs(first, count int) (at, rows, cols, tiles int) {
	image, row, col := g.place(first)
	tiles = min(count, (g.OutW-col+Side-1)/Side)
	return ((image*g.OutH+row)*g.OutW + col) * g.OutC, min(Side, g.OutH-row), min(tiles*Side, g.OutW-col), tiles
}

// bytes is the size of n elements.
func bytes(n int) uintptr { return uintptr(4 * n) }

// reaches panics where a slice is too short: a mistake of the kernel that calls.
func reaches(transform, name string, s []float32, n int) {
	if len(s) < n {
		panic(fmt.Sprintf("winograd: %s: %s has %d elements, want %d", transform, name, len(s), n))
	}
}
