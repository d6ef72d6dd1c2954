// Gomlx is GoMLX with its backend in pure Go as a contestant of bench/peers. See package peer for the arguments. It is a module of its
// own, so that the project does not depend on GoMLX.
package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/simplego"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/ml/context"
	"github.com/gomlx/gomlx/pkg/ml/context/initializers"
	"github.com/gomlx/gomlx/pkg/ml/train/losses"
	"github.com/gomlx/gomlx/pkg/ml/train/optimizers"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

func main() {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/gomlx/gomlx" {
				version = m.Version
			}
		}
	}
	peer.Main(peer.Contestant{Framework: "GoMLX", Version: version, Configs: configs, Prepare: prepare})
}

// GoMLX's own convolutions, and patches times filters: see net.
const layered, gathered = "layers", "patches"

func configs(c peer.Case) []string {
	if c.Mode == peer.Train {
		return []string{gathered}
	}
	return []string{layered, gathered}
}

// limit is a batch that does not take minutes. Larger ones are hardly faster per image.
func limit(c peer.Case) int {
	switch {
	case c.Arch == "simplecnn":
		return c.Batch
	case c.Size > 64 || c.Arch == "vgg16":
		return 1
	}
	return min(c.Batch, 4)
}

func prepare(c peer.Case, config string) (in peer.Instance, err error) {
	build, ok := nets[c.Arch]
	if !ok {
		return in, fmt.Errorf("%w: there is no net %q", peer.ErrCannot, c.Arch)
	}
	if c.Size > 64 && c.Mode == peer.Train {
		return in, fmt.Errorf("%w: a step on images of %d×%d takes GoMLX's Go backend minutes", peer.ErrCannot, c.Size, c.Size)
	}
	in.Batch = limit(c)
	c.Batch = in.Batch
	backend, err := open(c.Threads)
	if err != nil {
		return in, err
	}
	random := rand.New(rand.NewPCG(1, 2))
	pixels, classes := make([]float32, c.Batch*c.Size*c.Size*3), make([]int32, c.Batch)
	for i := range pixels {
		pixels[i] = random.Float32()
	}
	for i := range classes {
		classes[i] = random.Int32N(peer.Classes)
	}
	images := tensors.FromFlatDataAndDimensions(pixels, c.Batch, c.Size, c.Size, 3)
	ctx := context.New()
	ctx = ctx.WithInitializer(initializers.HeFn(ctx))
	if c.Mode == peer.Inference {
		exec, err := context.NewExec(backend, ctx, func(ctx *context.Context, x *Node) *Node {
			ctx.SetTraining(x.Graph(), false)
			return Softmax(build(net{ctx: ctx, made: new(int), gather: config == gathered}, x))
		})
		if err != nil {
			return in, err
		}
		var out []*tensors.Tensor
		in.Step = func() error {
			release(out)
			out, err = exec.Exec(images)
			return err
		}
		in.Rows = func() [][]float32 { return out[0].Value().([][]float32)[:min(2, c.Batch)] }
		return in, nil
	}
	labels := tensors.FromFlatDataAndDimensions(classes, c.Batch, 1)
	optimizer := optimizers.StochasticGradientDescent().WithDecay(false).WithLearningRate(1e-4).Done()
	exec, err := context.NewExec(backend, ctx, func(ctx *context.Context, x, labels *Node) *Node {
		ctx.SetTraining(x.Graph(), true)
		logits := build(net{ctx: ctx, made: new(int), gather: true, train: true}, x)
		loss := ReduceAllMean(losses.SparseCategoricalCrossEntropyLogits([]*Node{labels}, []*Node{logits}))
		optimizer.UpdateGraph(ctx, x.Graph(), loss)
		return loss
	})
	if err != nil {
		return in, err
	}
	var out []*tensors.Tensor
	in.Step = func() error {
		release(out)
		out, err = exec.Exec(images, labels)
		return err
	}
	in.Loss = func() float64 { return float64(out[0].Value().(float32)) }
	return in, nil
}

// release gives back the memory of the step before.
func release(out []*tensors.Tensor) {
	for _, t := range out {
		t.MustFinalizeAll()
	}
}

// open is the backend with so many threads. It says so on standard output, where only results belong.
func open(threads int) (backends.Backend, error) {
	runtime.GOMAXPROCS(threads)
	out := os.Stdout
	defer func() { os.Stdout = out }()
	os.Stdout = os.Stderr
	return simplego.New("parallelism=" + strconv.Itoa(threads))
}
