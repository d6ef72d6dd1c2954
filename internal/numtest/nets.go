package numtest

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// NetRun is a golden training run of a whole net: everything that defines it, and the losses it must give.
// scripts/golden/make_nets.py makes the files.
type NetRun struct {
	Net          string    // "simple_cnn", "vgg16" or "resnet50"
	Seed         uint64    // of every Fill call
	Batch        int       // examples a step
	Batches      int       // distinct batches; step i takes batch i mod Batches
	Classes      int       // labels run from 0 to Classes−1
	Steps        int       // number of losses
	LearningRate float64   `json:"learning_rate"`
	Momentum     float64   // of SGD: v = m·v − lr·g; w += v
	L2           float64   // factor of Σw² over kernels and biases, added to the loss that is differentiated
	Losses       []float64 // mean cross-entropy before each update, without the penalty, in float64 arithmetic
	Penalties    []float64 // the L2 penalty before each update
	Tolerance    []float64 // relative error a float32 run may show at each step
	Weights      []NetWeight
}

// NetWeight is one weight tensor of a [NetRun], in the order of Keras's model.layers.
type NetWeight struct {
	Name  string  // "<layer>/<weight>", e.g. "block1_conv1/kernel"
	Shape []int   // Keras's layout: kernels HWIO, dense kernels (in, out)
	Fill  string  // "uniform" or "constant"
	Value float64 // the limit for FillUniform, or the constant
	Sum   float64 // Σw after the last step, in float64 arithmetic
	Norm  float64 // √Σw² after the last step
}

// LoadNetRun reads a golden run, e.g. "testdata/golden/vgg16.json"; a file that is missing or malformed ends the test.
func LoadNetRun(t testing.TB, path string) *NetRun {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("golden run: %v; scripts/golden/README.md says how to make it", err)
		return nil
	}
	r := new(NetRun)
	if err := json.Unmarshal(raw, r); err != nil {
		t.Fatalf("golden run %s: %v", path, err)
		return nil
	}
	if len(r.Weights) == 0 || r.Steps == 0 || len(r.Losses) != r.Steps || len(r.Penalties) != r.Steps || len(r.Tolerance) != r.Steps {
		t.Fatalf("golden run %s: %d weights, and for %d steps %d losses, %d penalties, %d tolerances", path,
			len(r.Weights), r.Steps, len(r.Losses), len(r.Penalties), len(r.Tolerance))
		return nil
	}
	return r
}

// Initial returns the tensor's values before the first step, row-major.
func (w NetWeight) Initial(seed uint64) []float32 {
	n := 1
	for _, d := range w.Shape {
		n *= d
	}
	out := make([]float32, n)
	if w.Fill == "uniform" {
		FillUniform(w.Name, seed, w.Value, out)
		return out
	}
	for i := range out {
		out[i] = float32(w.Value)
	}
	return out
}

// Images returns the pixels of batch i, (Batch, 32, 32, 3) row-major, in [0, 1).
func (r *NetRun) Images(i int) []float32 {
	out := make([]float32, r.Batch*32*32*3)
	FillUnit(batchName("images", i%r.Batches), r.Seed, out)
	return out
}

// Labels returns the class numbers of batch i.
func (r *NetRun) Labels(i int) []int {
	out := make([]int, r.Batch)
	FillLabels(batchName("labels", i%r.Batches), r.Seed, r.Classes, out)
	return out
}

func batchName(what string, i int) string { return fmt.Sprintf("%s/%d", what, i) }
