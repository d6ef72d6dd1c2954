package graph

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"gorgonia.org/gorgonia"
)

// WriteDOT writes a plan in Graphviz's language: steps of one layer in a frame, those of the backward pass in another.
func WriteDOT(w io.Writer, p *Plan) error { return DrawPlan(p).WriteDOT(w) }

// WriteGraphDOT writes a Gorgonia graph in Graphviz's language.
func WriteGraphDOT(w io.Writer, g *gorgonia.ExprGraph) error { return DrawGraph(g).WriteDOT(w) }

// WriteDOT writes the drawing in Graphviz's language.
func (d *Drawing) WriteDOT(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "digraph plan {\n\tlabel=%s; labelloc=t; rankdir=TB;\n", quoteDOT(d.Title))
	fmt.Fprintf(b, "\tnode [shape=box, style=filled, fontname=\"Courier\", fontsize=10, margin=\"0.1,0.05\"];\n\tedge [color=\"#666666\", arrowsize=0.6];\n")
	members := map[string][]*box{}
	var clusters []string // in the order of their first boxes
	for i := range d.boxes {
		c := d.boxes[i].cluster
		if members[c] == nil {
			clusters = append(clusters, c)
		}
		members[c] = append(members[c], &d.boxes[i])
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
			if x.phase == isInput {
				shape = ", shape=ellipse"
			}
			fmt.Fprintf(b, "%s%s [label=%s, fillcolor=%q%s];\n", indent, x.id, quoteDOT(strings.Join(x.text(framed), "\n")), x.phase.fill(), shape)
		}
		if framed {
			fmt.Fprintf(b, "\t}\n")
		}
	}
	for i := range d.boxes {
		for _, k := range d.boxes[i].from {
			fmt.Fprintf(b, "\t%s -> %s;\n", d.boxes[k].id, d.boxes[i].id)
		}
	}
	fmt.Fprintln(b, "}")
	return b.Flush()
}

// text is what stands in a box; its layer too, unless a frame says it.
func (b *box) text(framed bool) []string {
	if framed || b.cluster == "" {
		return b.lines
	}
	return append([]string{b.lines[0], strings.TrimSuffix(b.cluster, " (backward)")}, b.lines[1:]...)
}

// quoteDOT is a string of Graphviz's language, in which line ends are written as \n.
func quoteDOT(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
