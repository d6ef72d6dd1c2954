package bench

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/stheno-ml/stheno/train"
)

// WriteBars draws images a second as SVG: a group of bars for each network, size, batch and mode, with a bar for each device, number of
// threads and precision, on a logarithmic axis. Beside the bars of accelerators stands how many times as fast they are as the CPU.
func (r *Report) WriteBars(w io.Writer) error {
	p, height, err := r.bars()
	if err != nil {
		return err
	}
	c := vgsvg.New(26*vg.Centimeter, height)
	p.Draw(draw.New(c))
	_, err = c.WriteTo(w)
	return err
}

// bar is one of a group.
type bar struct {
	at    float64 // its middle on the vertical axis
	value float64 // images a second
	color color.Color
	label string
}

// barStep is the distance of the bars of a group, and groupGap what is between groups, on paper.
const (
	barStep  = 13 // points
	groupGap = 9
)

// bars lays the plot out, and tells its height.
func (r *Report) bars() (*plot.Plot, vg.Length, error) {
	if len(r.Cases) == 0 {
		return nil, 0, errors.New("bench: nothing was measured that a plot could show")
	}
	groups, names := r.barGroups()
	p := plot.New()
	p.Title.Text = "images per second"
	p.Title.Padding = vg.Points(6)
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades{}
	p.X.Label.Text = r.Machine.barMachine(r.Cases)
	p.Y.Tick.Length, p.Y.LineStyle.Width, p.Y.Padding = 0, 0, vg.Points(10)
	for _, style := range []*draw.TextStyle{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle} {
		style.Font.Variant = "Sans"
	}
	p.Y.Tick.Label.Font.Size = vg.Points(9)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Width = color.Gray{Y: 225}, 0
	p.Add(grid)

	x, y := span{}, 0.0
	colors := map[string]color.Color{}
	var ticks []plot.Tick
	all := &barPlotter{}
	for i := range groups { // from the top down, on an axis that goes up
		g := groups[len(groups)-1-i]
		from := y
		for k := range g {
			c := g[len(g)-1-k]
			x.add(c.ImagesPerSecond)
			all.bars = append(all.bars, bar{at: y + barStep/2.0, value: c.ImagesPerSecond, color: nil, label: barLabel(c)})
			all.names = append(all.names, c.computes())
			y += barStep
		}
		ticks = append(ticks, plot.Tick{Value: (from + y) / 2, Label: names[len(groups)-1-i]})
		y += groupGap
	}
	p.Legend.Top, p.Legend.Left, p.Legend.Padding, p.Legend.XOffs = true, false, vg.Points(2), vg.Points(-6)
	p.Legend.TextStyle.Font.Size = vg.Points(9)
	for _, c := range r.Cases {
		name := c.computes()
		if colors[name] == nil {
			colors[name] = palette[len(colors)%len(palette)]
			p.Legend.Add(name, swatch{colors[name]})
		}
	}
	for i := range all.bars {
		all.bars[i].color = colors[all.names[i]]
	}
	p.X.Min, p.X.Max = x.decades()
	p.X.Max *= 10 // room for labels and the legend
	p.Y.Min, p.Y.Max = -groupGap, y
	p.Y.Tick.Marker = plot.ConstantTicks(ticks)
	all.style = p.Y.Tick.Label
	all.style.Font.Size = vg.Points(8)
	all.style.XAlign, all.style.YAlign = text.XLeft, text.YCenter
	all.style.Rotation = 0
	p.Add(all)
	return p, vg.Length(y+groupGap) + 70, nil
}

// barGroups are the cases that differ in the device, its threads and the precision alone, in the order of the first of each.
func (r *Report) barGroups() (groups [][]*Result, names []string) {
	at := map[Case]int{}
	for i := range r.Cases {
		c := &r.Cases[i]
		key := c.subject()
		key.Batch = c.Batch
		g, ok := at[key]
		if !ok {
			g = len(groups)
			at[key] = g
			groups = append(groups, nil)
			names = append(names, fmt.Sprintf("%s %d×%d, batch %d, %s", c.Arch, c.Size, c.Size, c.Batch, c.Mode))
		}
		groups[g] = append(groups[g], c)
	}
	return groups, names
}

// computes names a case's device, threads and precision: "cuda:0, bf16".
func (c Case) computes() string {
	s := Ceiling{Device: c.Device, Threads: c.Threads}.name()
	if c.Precision != "" && (c.Precision != train.FP32 || !c.onCPU()) {
		s += ", " + c.Precision
	}
	return s
}

// barLabel is what stands beside a bar: the number and, of an accelerator, the speed-up.
func barLabel(c *Result) string {
	s := digits(math.Round(c.ImagesPerSecond))
	if c.ImagesPerSecond < 100 {
		s = digits(c.ImagesPerSecond)
	}
	if c.Speedup > 0 {
		s += fmt.Sprintf(", %s× the CPU", digits(c.Speedup))
		if o := c.otherwise(); o != "" {
			s += " (" + o + ")"
		}
	}
	return s
}

// barMachine names what computed.
func (m Machine) barMachine(cases []Result) string {
	s := m.CPU
	for _, c := range cases {
		if !c.onCPU() && c.Engine != "" {
			return s + "; " + c.Engine
		}
	}
	return s
}

// barPlotter draws bars from the left edge, which on a logarithmic axis stands for nothing but itself.
type barPlotter struct {
	bars  []bar
	names []string // what computes them
	style draw.TextStyle
}

// Plot implements plot.Plotter.
func (b *barPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, one := range b.bars {
		middle, right := y(one.at), x(one.value)
		half := (y(one.at+barStep) - middle) * 0.42
		left := c.Min.X
		c.FillPolygon(one.color, []vg.Point{{X: left, Y: middle - half}, {X: right, Y: middle - half}, {X: right, Y: middle + half}, {X: left, Y: middle + half}})
		c.FillText(b.style, vg.Point{X: right + vg.Points(3), Y: middle}, one.label)
	}
}

// swatch is a color in the legend.
type swatch struct{ color color.Color }

// Thumbnail implements plot.Thumbnailer.
func (s swatch) Thumbnail(c *draw.Canvas) {
	c.FillPolygon(s.color, []vg.Point{{X: c.Min.X, Y: c.Min.Y}, {X: c.Min.X, Y: c.Max.Y}, {X: c.Max.X, Y: c.Max.Y}, {X: c.Max.X, Y: c.Min.Y}})
}
