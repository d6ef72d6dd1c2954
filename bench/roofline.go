package bench

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// dot is a point of a roofline plot.
type dot struct {
	name         string
	flops, bytes int64
	seconds      float64
	area         float64 // of the glyph, 1 the largest
	color, shape int     // of palette and shapes
}

func (d dot) intensity() float64 { return float64(d.flops) / float64(d.bytes) } // FLOP a byte
func (d dot) speed() float64     { return float64(d.flops) / d.seconds / 1e9 }  // GFLOP/s

// WriteRoofline writes a roofline plot (Williams, Waterman and Patterson 2009) as SVG: what the devices do at best, by the arithmetic that
// there is for every byte from memory, and a dot for each case; where there is one case, with Config.Profile, for each kind of its
// operations, the larger the more of the time they take. Both count nominally, each operand read once and each result written once: what stays in
// a cache between two operations may lie above the roof's slope.
func (r *Report) WriteRoofline(w io.Writer) error {
	p, err := r.roofline()
	if err != nil {
		return err
	}
	c := vgsvg.New(24*vg.Centimeter, 15*vg.Centimeter)
	p.Draw(draw.New(c))
	_, err = c.WriteTo(w)
	return err
}

func (r *Report) roofline() (*plot.Plot, error) {
	dots := r.dots()
	if len(dots) == 0 {
		return nil, errors.New("bench: nothing was measured that a roofline plot could show")
	}
	p := plot.New()
	p.Title.Text = r.Machine.CPU
	if len(r.Cases) == 1 {
		p.Title.Text = r.Cases[0].String()
	}
	p.Title.Padding, p.Legend.Padding = vg.Points(6), vg.Points(2)
	for _, style := range []*draw.TextStyle{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle} {
		style.Font.Variant = "Sans"
	}
	p.X.Label.Text, p.Y.Label.Text = "FLOP per byte", "GFLOP/s"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = decades{}, decades{}
	p.Legend.Top, p.Legend.Left, p.Legend.XOffs, p.Legend.YOffs = false, false, vg.Points(-6), vg.Points(6)
	p.Legend.TextStyle.Font.Size = vg.Points(9)
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{Y: 225}, color.Gray{Y: 225}
	p.Add(grid)
	r.frame(p, dots)
	if err := r.roofs(p); err != nil {
		return nil, err
	}
	for _, d := range dots {
		s, err := plotter.NewScatter(plotter.XYs{{X: d.intensity(), Y: d.speed()}})
		if err != nil {
			return nil, err
		}
		s.GlyphStyle = draw.GlyphStyle{Color: palette[d.color%len(palette)], Radius: vg.Points(2 + 6*math.Sqrt(d.area)), Shape: shapes[d.shape%len(shapes)]}
		p.Add(s)
		p.Legend.Add(d.name, legend{s.GlyphStyle})
	}
	return p, nil
}

// dots are those of the cases, or of the one case's operations.
func (r *Report) dots() (dots []dot) {
	if len(r.Cases) == 1 && len(r.Cases[0].Kinds) > 0 {
		dots = r.Cases[0].dots()
	} else {
		dots = r.dotsOfCases()
	}
	// Operations that compute nothing have no place on logarithmic axes.
	return slices.DeleteFunc(dots, func(d dot) bool { return d.flops == 0 || d.bytes == 0 || d.seconds == 0 })
}

// worthADot is the share of a case's time from which on a kind of operation is shown.
const worthADot = 0.005

func (r *Result) dots() (dots []dot) {
	all := 0.0
	for _, k := range r.Kinds {
		all += k.Seconds
	}
	for i, k := range r.Kinds {
		if part := k.Seconds / all; part >= worthADot {
			dots = append(dots, dot{name: fmt.Sprintf("%s, %.0f%%", k.Name, 100*part), flops: k.FLOPs, bytes: k.Bytes, seconds: k.Seconds, area: part,
				color: i, shape: i / len(palette)})
		}
	}
	return dots
}

// dotsOfCases have a color for each network.
func (r *Report) dotsOfCases() (dots []dot) {
	networks, before := map[string]int{}, map[string]int{}
	for i := range r.Cases {
		c := &r.Cases[i]
		network := fmt.Sprint(c.Arch, c.Size)
		if _, ok := networks[network]; !ok {
			networks[network] = len(networks)
		}
		dots = append(dots, dot{name: c.String(), flops: c.FLOPs, bytes: c.Bytes, seconds: c.Milliseconds / 1e3, area: 0.2,
			color: networks[network], shape: before[network]})
		before[network]++
	}
	return dots
}

// frame sets the axes, to whole decades around the dots and the ridges of the roofs.
func (r *Report) frame(p *plot.Plot, dots []dot) {
	x, y := span{}, span{}
	for _, d := range dots {
		x.add(d.intensity())
		y.add(d.speed())
	}
	for _, c := range r.Machine.Ceilings {
		if c.FLOPs > 0 && c.Bytes > 0 {
			x.add(c.FLOPs / c.Bytes)
			y.add(c.FLOPs / 1e9)
		}
	}
	p.X.Min, p.X.Max = x.decades()
	p.Y.Min, p.Y.Max = y.decades()
}

// span is the least and the largest of some positive numbers.
type span struct{ least, most float64 }

func (s *span) add(v float64) {
	if s.least == 0 || v < s.least {
		s.least = v
	}
	s.most = max(s.most, v)
}

func (s span) decades() (from, to float64) {
	return math.Pow(10, math.Floor(math.Log10(s.least))), math.Pow(10, math.Ceil(math.Log10(1.2*s.most)))
}

// roofs draws the ceilings within the axes: up along the bandwidth, then flat.
func (r *Report) roofs(p *plot.Plot) error {
	for i, c := range r.Machine.Ceilings {
		if c.FLOPs == 0 || c.Bytes == 0 {
			continue
		}
		at := func(x float64) float64 { return min(c.FLOPs, x*c.Bytes) / 1e9 }
		from := max(p.X.Min, p.Y.Min*1e9/c.Bytes)
		var line plotter.XYs
		for _, x := range []float64{from, c.FLOPs / c.Bytes, p.X.Max} {
			line = append(line, plotter.XY{X: x, Y: at(x)})
		}
		l, err := plotter.NewLine(line)
		if err != nil {
			return err
		}
		l.Width = vg.Points(1.5)
		l.Dashes = [][]vg.Length{nil, {vg.Points(6), vg.Points(3)}, {vg.Points(2), vg.Points(2)}}[i%3]
		p.Add(l)
		p.Legend.Add(fmt.Sprintf("%s: %s, %.0f GB/s", c.name(), flopsText(c.FLOPs), c.Bytes/1e9), l)
	}
	return nil
}

// decades marks the powers of ten and, without a name, what is between them.
type decades struct{}

func (decades) Ticks(from, to float64) (ticks []plot.Tick) {
	for d := math.Floor(math.Log10(from)); d <= math.Ceil(math.Log10(to)); d++ {
		for i := 1.0; i < 10; i++ {
			v := i * math.Pow(10, d)
			t := plot.Tick{Value: v}
			if i == 1 {
				t.Label = decade(v)
			}
			if v >= from*0.999 && v <= to*1.001 {
				ticks = append(ticks, t)
			}
		}
	}
	return ticks
}

// decade is the name of a power of ten: 0.1, 100, 10k, 1M.
func decade(v float64) string {
	name := ""
	if v >= 9999 {
		for _, unit := range []string{"k", "M", "G", "T"} {
			if v >= 999 {
				v, name = v/1000, unit
			}
		}
	}
	return fmt.Sprintf("%g%s", v, name)
}

// legend draws a dot in the legend no larger than the others.
type legend struct{ style draw.GlyphStyle }

// Thumbnail implements plot.Thumbnailer.
func (l legend) Thumbnail(c *draw.Canvas) {
	l.style.Radius = vg.Points(3)
	c.DrawGlyph(l.style, c.Center())
}

var shapes = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{}, draw.PlusGlyph{}}

// palette is Okabe and Ito's, which the colour-blind tell apart, without its black and its yellow; one dot is seen through another.
var palette = []color.Color{
	color.NRGBA{0, 114, 178, 200}, color.NRGBA{213, 94, 0, 200}, color.NRGBA{0, 158, 115, 200},
	color.NRGBA{204, 121, 167, 200}, color.NRGBA{230, 159, 0, 200}, color.NRGBA{86, 180, 233, 200},
}
