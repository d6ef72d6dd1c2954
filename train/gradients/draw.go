package gradients

import (
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The picture's size, and the PNG's resolution.
const (
	width, height = 25 * vg.Centimeter, 10.5 * vg.Centimeter
	dpi           = 120
)

// smooth is how many steps the thick line of losses averages.
const smooth = 15

// The colours are Okabe and Ito's, which the colour-blind tell apart: of plain and of residual networks, strong and faint.
var (
	strong = map[bool]color.Color{true: color.NRGBA{213, 94, 0, 255}, false: color.NRGBA{0, 114, 178, 255}}
	faint  = map[bool]color.Color{true: color.NRGBA{213, 94, 0, 80}, false: color.NRGBA{0, 114, 178, 80}}
	grey   = color.Gray{Y: 225}
)

// WritePNG writes the picture: the norm of each layer's gradient, at the first and at the last step, and the losses.
func (r *Report) WritePNG(w io.Writer) error {
	c := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))
	if err := r.draw(draw.New(c)); err != nil {
		return err
	}
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
	return err
}

// WriteSVG writes the same picture as SVG.
func (r *Report) WriteSVG(w io.Writer) error {
	c := vgsvg.New(width, height)
	if err := r.draw(draw.New(c)); err != nil {
		return err
	}
	_, err := c.WriteTo(w)
	return err
}

func (r *Report) draw(c draw.Canvas) error {
	if len(r.Nets) == 0 || len(r.Nets[0].Loss) == 0 {
		return ErrNothing
	}
	norms, err := r.normsPlot()
	if err != nil {
		return err
	}
	losses, err := r.lossPlot()
	if err != nil {
		return err
	}
	const gap = 3 * vg.Millimeter
	tiles := draw.Tiles{Rows: 1, Cols: 2, PadX: 6 * vg.Millimeter, PadTop: gap, PadBottom: gap, PadLeft: gap, PadRight: gap}
	for i, p := range []*plot.Plot{norms, losses} {
		p.Draw(tiles.At(c, i, 0))
	}
	return nil
}

// panel is an empty plot in the picture's style.
func panel(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = vg.Points(6)
	for _, style := range []*draw.TextStyle{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle} {
		style.Font.Variant = "Sans"
	}
	p.Title.TextStyle.Font.Size, p.Legend.TextStyle.Font.Size = vg.Points(12), vg.Points(10)
	p.Legend.Top, p.Legend.Padding = true, vg.Points(2)
	p.X.Tick.Marker = different{}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = grey, grey
	p.Add(grid)
	return p
}

// normsPlot has a line for the first and one for the last look at each network.
func (r *Report) normsPlot() (*plot.Plot, error) {
	p := panel("L2 norm of the gradient, by layer", "layer, from input to output", "") // gonum pads for a label as if the axis were linear
	least, most := math.Inf(1), 0.0
	for i := range r.Nets {
		n := &r.Nets[i]
		looks := []Norms{n.Norms[0], n.Norms[len(n.Norms)-1]}
		for k, look := range looks {
			var points plotter.XYs
			for layer, at := range n.layers() {
				if v := look.Norms[at]; v > 0 { // a gradient of 0 has no place on a logarithmic axis
					points = append(points, plotter.XY{X: float64(layer + 1), Y: v})
					least, most = min(least, v), max(most, v)
				}
			}
			name := fmt.Sprintf("%s, step %d", title(n), look.Step)
			if len(points) == 0 {
				p.Legend.Add(name + ": all 0")
				continue
			}
			line, dots, err := plotter.NewLinePoints(points)
			if err != nil {
				return nil, err
			}
			line.Color, line.Width = strong[n.Plain], vg.Points(1.6)
			dots.Color, dots.Radius, dots.Shape = strong[n.Plain], vg.Points(1.8), draw.CircleGlyph{}
			if k == 0 {
				line.Dashes, line.Width, dots.Shape = []vg.Length{vg.Points(4), vg.Points(3)}, vg.Points(1.1), draw.RingGlyph{}
			}
			p.Add(line, dots)
			p.Legend.Add(name, line, dots)
		}
	}
	p.X.Min, p.X.Max = 0, float64(len(r.Nets[0].layers())+1)
	if most == 0 {
		least, most = 1e-9, 1
	}
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decades{}
	p.Y.Min, p.Y.Max = axis(least, most)
	return p, nil
}

// axis are whole decades around positive numbers, with room for the legend on top.
func axis(least, most float64) (from, to float64) {
	low, high := math.Floor(math.Log10(least)), math.Ceil(math.Log10(most))
	high += math.Ceil(0.25 * max(high-low, 1))
	return math.Pow(10, low), math.Pow(10, high)
}

// title is a network's name as the paper writes it.
func title(n *Net) string {
	if n.Plain {
		return "plain-" + n.Name[len("plain"):]
	}
	return "ResNet-" + n.Name[len("resnet"):]
}

// lossPlot has the loss of every batch, faint, and its running mean.
func (r *Report) lossPlot() (*plot.Plot, error) {
	p := panel(fmt.Sprintf("Cross-entropy of each batch, and mean of %d", smooth), "step", "")
	for i := range r.Nets {
		n := &r.Nets[i]
		var each, means plotter.XYs
		for k, v := range n.Loss {
			x := float64(k + 1)
			each = append(each, plotter.XY{X: x, Y: v})
			means = append(means, plotter.XY{X: x, Y: mean(n.Loss[max(0, k+1-smooth) : k+1])})
		}
		thin, err := plotter.NewLine(each)
		if err != nil {
			return nil, err
		}
		thick, err := plotter.NewLine(means)
		if err != nil {
			return nil, err
		}
		thin.Color, thin.Width = faint[n.Plain], vg.Points(0.8)
		thick.Color, thick.Width = strong[n.Plain], vg.Points(2)
		p.Add(thin, thick)
		p.Legend.Add(title(n), thick)
	}
	p.X.Min = 0
	p.Y.Tick.Marker = different{}
	room := 0.15 * (p.Y.Max - p.Y.Min)
	p.Y.Max += room
	return p, nil
}

// decades marks the powers of ten, so many that their names do not overlap.
type decades struct{}

// Ticks implements plot.Ticker.
func (decades) Ticks(from, to float64) (ticks []plot.Tick) {
	low, high := int(math.Round(math.Log10(from))), int(math.Round(math.Log10(to)))
	apart := max(1, (high-low+7)/8)
	for d := low; d <= high; d++ {
		t := plot.Tick{Value: math.Pow(10, float64(d))}
		if d%apart == 0 {
			t.Label = fmt.Sprintf("1e%d", d)
		}
		ticks = append(ticks, t)
	}
	return ticks
}

// different are gonum's default marks, with names of as many places as it takes to tell them apart.
type different struct{}

// Ticks implements plot.Ticker.
func (different) Ticks(from, to float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(from, to)
	var named []int
	for i, t := range ticks {
		if !t.IsMinor() {
			named = append(named, i)
		}
	}
	if len(named) < 2 {
		return ticks
	}
	apart := ticks[named[1]].Value - ticks[named[0]].Value
	places := max(0, int(math.Ceil(-math.Log10(apart)-1e-9)))
	if half := apart * math.Pow(10, float64(places)); math.Abs(half-math.Round(half)) > 1e-6 {
		places++
	}
	for _, i := range named {
		ticks[i].Label = fmt.Sprintf("%.*f", places, ticks[i].Value)
	}
	return ticks
}
