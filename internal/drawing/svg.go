package drawing

import (
	"bufio"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// Sizes of a drawing, in pixels.
const (
	letter  = 6.1 // width of a letter of the 10-pixel monospace font
	lineGap = 12.0
	padding = 5.0
	rowGap  = 22.0
	margin  = 20.0
	lane    = 8.0 // between arrows that lead back
)

// WriteSVG draws without Graphviz: boxes in rows, each below all that it reads. The same drawing gives the same bytes.
func (d *Drawing) WriteSVG(w io.Writer) error {
	widths, heights := make([]float64, len(d.Boxes)), make([]float64, len(d.Boxes))
	for i := range d.Boxes {
		text := d.Boxes[i].text(false)
		for _, l := range text {
			widths[i] = max(widths[i], letter*float64(utf8.RuneCountInString(l))+2*padding)
		}
		heights[i] = lineGap*float64(len(text)) + 2*padding
	}
	rows := layOutRows(d, widths)
	left, right := math.Inf(1), math.Inf(-1)
	for _, row := range rows {
		for _, s := range row {
			left, right = min(left, s.x-s.width/2), max(right, s.x+s.width/2)
		}
	}
	top := make([]float64, len(rows)) // of each row
	bottom := make([]float64, len(rows))
	y := margin + lineGap + padding
	for r, row := range rows {
		top[r], bottom[r] = y, y
		for _, s := range row {
			if s.box >= 0 {
				bottom[r] = max(bottom[r], y+heights[s.box])
			}
		}
		y = bottom[r] + rowGap
	}
	if len(rows) == 0 {
		left, right, y = 0, 0, y+rowGap
	}
	back := 0
	for i := range d.Boxes {
		back += len(d.Boxes[i].From) - len(d.before(i))
	}
	b := bufio.NewWriter(w)
	width, height := right-left+2*margin+lane*float64(back), y-rowGap+margin
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="monospace" font-size="10">`+"\n", width, height, width, height)
	fmt.Fprintf(b, "<defs><marker id=\"tip\" viewBox=\"0 0 6 6\" refX=\"6\" refY=\"3\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\"><path d=\"M0,0L6,3L0,6z\" fill=\"#666666\"/></marker></defs>\n")
	fmt.Fprintf(b, "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n")
	fmt.Fprintf(b, "<text x=\"%.0f\" y=\"%.0f\" font-size=\"12\">%s</text>\n", margin, margin, escapeXML(d.Title))
	at := func(x float64) float64 { return x - left + margin }
	fmt.Fprintf(b, "<g fill=\"none\" stroke=\"#888888\" stroke-width=\"0.8\">\n")
	for r, row := range rows {
		for _, s := range row {
			y0 := top[r]
			if s.box >= 0 {
				y0 += heights[s.box]
			}
			// Straight down past the higher boxes of the row, then on to the next.
			if len(s.down) > 0 && y0 < bottom[r] {
				fmt.Fprintf(b, "<path d=\"M%.1f,%.1fV%.1f\"/>\n", at(s.x), y0, bottom[r])
			}
			for _, t := range s.down {
				tip := ""
				if t.box >= 0 {
					tip = ` marker-end="url(#tip)"`
				}
				fmt.Fprintf(b, "<path d=\"M%.1f,%.1fL%.1f,%.1f\"%s/>\n", at(s.x), bottom[r], at(t.x), top[r+1], tip)
			}
		}
	}
	if back > 0 {
		d.writeBack(b, rows, top, heights, at, right)
	}
	fmt.Fprintf(b, "</g>\n")
	for r, row := range rows {
		for _, s := range row {
			if s.box >= 0 {
				d.Boxes[s.box].writeSVG(b, at(s.x)-s.width/2, top[r], s.width, heights[s.box])
			}
		}
	}
	fmt.Fprintln(b, "</svg>")
	return b.Flush()
}

// writeBack draws the arrows that lead back: out of the right side of one box and into that of the other, each with a way of its own beside
// all boxes.
func (d *Drawing) writeBack(b io.Writer, rows [][]*slot, top, heights []float64, at func(float64) float64, right float64) {
	middle, side := make([]float64, len(d.Boxes)), make([]float64, len(d.Boxes))
	for r, row := range rows {
		for _, s := range row {
			if s.box >= 0 {
				middle[s.box], side[s.box] = top[r]+heights[s.box]/2, at(s.x)+s.width/2
			}
		}
	}
	x := at(right)
	for i := range d.Boxes {
		for _, k := range d.Boxes[i].From {
			if k >= i {
				x += lane
				fmt.Fprintf(b, "<path d=\"M%.1f,%.1fH%.1fV%.1fH%.1f\" marker-end=\"url(#tip)\"/>\n", side[k], middle[k]+lane/4, x, middle[i]-lane/4, side[i])
			}
		}
	}
}

func (x *Box) writeSVG(b io.Writer, left, top, width, height float64) {
	round := 2.0
	if x.Round {
		round = height / 2
	}
	fmt.Fprintf(b, "<g id=%q><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"%.1f\" fill=\"%s\" stroke=\"#555555\"/>\n", x.ID, left, top, width, height, round, cmp.Or(x.Fill, "#dbe9f8"))
	for i, l := range x.text(false) {
		weight := ""
		if i == 0 && !x.Round {
			weight = ` font-weight="bold"`
		}
		fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%.1f\"%s>%s</text>\n", left+padding, top+padding+lineGap*float64(i)+9, weight, escapeXML(l))
	}
	fmt.Fprintf(b, "</g>\n")
}

func escapeXML(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return "" // a strings.Builder takes everything
	}
	return b.String()
}
