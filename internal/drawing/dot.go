// Package drawing draws graphs of boxes and arrows as SVG and for Graphviz.
package drawing

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Drawing is a graph of boxes. WriteDOT gives it to Graphviz, WriteSVG draws it without.
type Drawing struct {
	Title string
	Boxes []Box
}

// Box is a rectangle with text.
type Box struct {
	ID      string // its name in the files, of letters and digits
	Lines   []string
	Fill    string // colour, such as "#dbe9f8"; empty for that one
	Round   bool   // rounded, as inputs are
	Cluster string // boxes of one cluster belong together; "" for none
	From    []int  // the boxes with an arrow to this one, each once
}

// Arrow adds an arrow from box number from.
func (b *Box) Arrow(from int) {
	if !slices.Contains(b.From, from) {
		b.From = append(b.From, from)
	}
}

// WriteDOT writes the drawing in Graphviz's language.
func (d *Drawing) WriteDOT(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "digraph plan {\n\tlabel=%s; labelloc=t; rankdir=TB;\n", quoteDOT(d.Title))
	fmt.Fprintf(b, "\tnode [shape=box, style=filled, fontname=\"Courier\", fontsize=10, margin=\"0.1,0.05\"];\n\tedge [color=\"#666666\", arrowsize=0.6];\n")
	members := map[string][]*Box{}
	var clusters []string // in the order of their first boxes
	for i := range d.Boxes {
		c := d.Boxes[i].Cluster
		if members[c] == nil {
			clusters = append(clusters, c)
		}
		members[c] = append(members[c], &d.Boxes[i])
	}
	for k, c := range clusters {
		framed := c != "" && len(members[c]) > 1
		indent := "\t"
		if framed {
			fmt.Fprintf(b, "\tsubgraph cluster_%d {\n\t\tlabel=%s; color=\"#aaaaaa\";\n", k, quoteDOT(c))
			indent = "\t\t"
		}
		for _, x := range members[c] {
			shape := ""
			if x.Round {
				shape = ", shape=ellipse"
			}
			fmt.Fprintf(b, "%s%s [label=%s, fillcolor=%q%s];\n", indent, x.ID, quoteDOT(strings.Join(x.text(framed), "\n")), cmp.Or(x.Fill, "#dbe9f8"), shape)
		}
		if framed {
			fmt.Fprintf(b, "\t}\n")
		}
	}
	for i := range d.Boxes {
		for _, k := range d.Boxes[i].From {
			fmt.Fprintf(b, "\t%s -> %s;\n", d.Boxes[k].ID, d.Boxes[i].ID)
		}
	}
	fmt.Fprintln(b, "}")
	return b.Flush()
}

// text is what stands in a box; its layer too, unless a frame says it.
func (b *Box) text(framed bool) []string {
	if framed || b.Cluster == "" {
		return b.Lines
	}
	return append([]string{b.Lines[0], strings.TrimSuffix(b.Cluster, " (backward)")}, b.Lines[1:]...)
}

// quoteDOT is a string of Graphviz's language, in which line ends are written as \n.
func quoteDOT(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
