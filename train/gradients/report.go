package gradients

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/nn"
)

// Report is what came out.
type Report struct {
	Config Config `json:"config"`
	Data   string `json:"data"` // title of the images
	Engine string `json:"engine"`
	Nets   []Net  `json:"networks"` // the plain one, the residual one
}

// Net is one network's part of a report.
type Net struct {
	Name    string    `json:"name"`
	Plain   bool      `json:"plain"`
	Weights []string  `json:"weights"` // the trainable ones, from input to output
	Loss    []float64 `json:"loss"`    // of the batch of each step
	Norms   []Norms   `json:"gradient_norms"`
}

// Norms are the L2 norms of a step's gradients.
type Norms struct {
	Step  int       `json:"step"`  // from 1
	Norms []float64 `json:"norms"` // as long as Net.Weights
}

func newNet(m *nn.Model, plain bool) Net {
	n := Net{Name: strings.TrimSuffix(m.Name(), "-cifar"), Plain: plain}
	for _, w := range m.Weights() {
		if w.Trainable {
			n.Weights = append(n.Weights, w.Name)
		}
	}
	return n
}

// layers are the places of the layers' kernels among the weights, from input to output.
func (n *Net) layers() (at []int) {
	for i, w := range n.Weights {
		if strings.HasSuffix(w, "/kernel") {
			at = append(at, i)
		}
	}
	return at
}

// WriteNorms writes the norms as CSV: network, step, layer (from 1, of each kernel and what belongs to it), weight, norm.
func (r *Report) WriteNorms(w io.Writer) error {
	rows := [][]string{{"network", "step", "layer", "weight", "norm"}}
	for i := range r.Nets {
		n := &r.Nets[i]
		for _, look := range n.Norms {
			layer := 0
			for k, weight := range n.Weights {
				if strings.HasSuffix(weight, "/kernel") {
					layer++
				}
				rows = append(rows, []string{n.Name, strconv.Itoa(look.Step), strconv.Itoa(layer), weight, number(look.Norms[k])})
			}
		}
	}
	return csv.NewWriter(w).WriteAll(rows)
}

// WriteLosses writes the losses as CSV: step and a column for each network.
func (r *Report) WriteLosses(w io.Writer) error {
	header := []string{"step"}
	for _, n := range r.Nets {
		header = append(header, n.Name)
	}
	rows := [][]string{header}
	for i := range r.Nets[0].Loss {
		row := []string{strconv.Itoa(i + 1)}
		for _, n := range r.Nets {
			row = append(row, number(n.Loss[i]))
		}
		rows = append(rows, row)
	}
	return csv.NewWriter(w).WriteAll(rows)
}

// Summary says in a line for each network how much of the gradient of its last layer arrives at the first.
func (r *Report) Summary() (lines []string) {
	for i := range r.Nets {
		n := &r.Nets[i]
		at := n.layers()
		first, last := n.Norms[0], n.Norms[len(n.Norms)-1]
		k := at[0]
		lines = append(lines, fmt.Sprintf("%s: gradient of the first layer %.2g at step %d, %.2g at step %d; loss %.4f, then %.4f", n.Name,
			first.Norms[k], first.Step, last.Norms[k], last.Step, n.Loss[0], mean(n.Loss[max(0, len(n.Loss)-smooth):])))
	}
	return lines
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
