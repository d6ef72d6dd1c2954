//go:build gpu && cgo && linux

package cuda

import (
	"errors"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/cublaslt"
	"github.com/stheno-ml/stheno/cuda/internal/cudnn"
	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/find"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
	"github.com/stheno-ml/stheno/cuda/internal/nvrtc"
)

// libs are the libraries that an engine calls. One that is nil is not there, or not wanted.
type libs struct {
	blas   *cublaslt.Handle
	dnn    *cudnn.Handle
	stream uintptr
	memory int64 // bytes that the engine may take of the device
}

// What the libraries are for, and what is done without them.
const (
	nvrtcPurpose    = "compiles the engine's kernels; there is no engine without it"
	cuDNNPurpose    = "convolutions; without it they run on the engine's own kernels, slower"
	cuBLASLtPurpose = "matrix products; without it they run on the engine's own kernels, slower"
)

// workspace is the working memory that a call of a library may use at most.
const workspace = 256 << 20

// workspaceOf is the working memory that a convolution may use. Without tensor cores cuDNN's fast engines transpose images and results on the
// way, and those without memory for it are many times slower: they may have as much as both take, up to a sixteenth of the device's memory.
func workspaceOf(c *kernel.Convolution, memory int64) int64 {
	if c.Precision != kernel.FP32 && c.Dtype == tensor.Float32 {
		return workspace
	}
	elements := int64(c.N)*int64(c.H)*int64(c.W)*int64(c.C) + int64(c.N)*int64(c.OH)*int64(c.OW)*int64(c.K)
	return max(workspace, min(workspace/4+elements*int64(c.Dtype.Size()), memory/16))
}

// driverMajor is the major CUDA version of the driver, 0 if there is none.
func driverMajor() int { return max(driver.Version(), 0) / 1000 }

// openLibs loads the libraries that are there, and says once which are missing.
func (e *Engine) openLibs(without []string) *libs {
	l := &libs{stream: uintptr(e.stream.Handle()), memory: e.dev.Info.Memory}
	if limit := e.config.MemoryLimit; limit > 0 {
		l.memory = min(l.memory, limit)
	}
	if slices.Contains(without, "cublaslt") {
		e.say("cuBLASLt is not used, as asked: matrix products run on the engine's own kernels")
	} else if lib, err := cublaslt.Load(driverMajor()); err != nil {
		e.missing("cuBLASLt", "matrix products", err)
	} else if l.blas, err = lib.New(); err != nil {
		e.missing("cuBLASLt", "matrix products", err)
		l.blas = nil
	}
	if slices.Contains(without, "cudnn") {
		e.say("cuDNN is not used, as asked: convolutions run on the engine's own kernels")
	} else if lib, err := cudnn.Load(); err != nil {
		e.missing("cuDNN", "convolutions", err)
	} else if l.dnn, err = lib.New(l.stream); err != nil {
		e.missing("cuDNN", "convolutions", err)
		l.dnn = nil
	} else {
		l.dnn.OpenOrder = e.config.Nondeterministic
	}
	return l
}

// missing says in one line that a library is not used and why.
func (e *Engine) missing(name, what string, err error) {
	reason := err.Error()
	if notFound := (*find.NotFound)(nil); errors.As(err, &notFound) {
		reason = "it was not found; stheno devices --verbose lists what was tried"
	}
	e.say("without %s %s run on the engine's own kernels, slower: %s", name, what, reason)
}

// Close frees what the libraries hold on the device, for which cuDNN waits for all of it.
func (l *libs) Close() error {
	return driver.Apart(func() error {
		var errs []error
		if l.dnn != nil {
			errs = append(errs, l.dnn.Close())
		}
		if l.blas != nil {
			errs = append(errs, l.blas.Close())
		}
		return errors.Join(errs...)
	})
}

// loaded is what a library tells of itself.
type loaded interface {
	Version() string
	Path() string
}

func libraries() []Library {
	all := []Library{{Name: "NVRTC", Purpose: nvrtcPurpose}, {Name: "cuBLASLt", Purpose: cuBLASLtPurpose}, {Name: "cuDNN", Purpose: cuDNNPurpose}}
	for i, load := range []func() (loaded, error){ // in the order in which an engine loads them
		func() (loaded, error) { return nvrtc.Load(driverMajor()) },
		func() (loaded, error) { return cublaslt.Load(driverMajor()) },
		func() (loaded, error) { return cudnn.Load() },
	} {
		lib, err := load()
		if err != nil {
			all[i].Err = err
			continue
		}
		all[i].Version, all[i].Path = lib.Version(), lib.Path()
	}
	without, _ := withoutLibraries(nil) // New tells of a name that there is not
	for i := range all {
		if slices.Contains(without, strings.ToLower(all[i].Name)) {
			all[i].Unused = withoutEnv
		}
	}
	return all
}

// plan asks the library of a call how it would compute it, and keeps the answer. takes says whether it does.
func (m *maker) plan(c kernel.Command) (takes bool, err error) {
	e := m.program.engine
	call := e.libs.call(c)
	if call == nil {
		switch c.(type) {
		case *kernel.Gemm, *kernel.Convolution:
			m.refused = errors.New("the library is not used")
			return false, nil
		}
		return true, nil
	}
	plan, err := e.tuner.plan(call)
	switch {
	case unsupported(err):
		m.refused = err
		return false, nil
	case err != nil:
		return false, err
	}
	m.program.close = append(m.program.close, plan.Close)
	m.plans[c] = plan
	return true, nil
}

// used is the plan of a call that the program will run.
func (m *maker) used(c kernel.Command) plan {
	w := m.plans[c]
	m.uses(w.key, w.found)
	return w.plan
}

// matmul is a product through cuBLASLt.
type matmul struct {
	plan                *cublaslt.Matmul
	a, b, c, bias, work uint64
}

func (m *maker) gemm(g *kernel.Gemm) []action {
	plan := m.used(g).(*cublaslt.Matmul)
	a := &matmul{plan: plan}
	m.point(&a.a, g.A)
	m.point(&a.b, g.B)
	m.point(&a.c, g.C)
	if g.Bias != nil {
		m.point(&a.bias, *g.Bias)
	}
	m.point(&a.work, m.library(plan.Workspace))
	m.names = append(m.names, "cuBLASLt"+measured(plan.Measured))
	return []action{a}
}

func (a *matmul) run(p *program) error {
	return a.plan.Run(uintptr(p.engine.on.Handle()), uintptr(a.a), uintptr(a.b), uintptr(a.c), uintptr(a.bias), uintptr(a.work))
}

// convolution is a convolution through cuDNN.
type convolution struct {
	plan                                      *cudnn.Plan
	x, w, y, bias, sums, residual, mask, work uint64
}

func (m *maker) convolution(c *kernel.Convolution) []action {
	plan := m.used(c).(*cudnn.Plan)
	a := &convolution{plan: plan}
	m.point(&a.x, c.X)
	m.point(&a.w, c.Filter)
	m.point(&a.y, c.Y)
	if c.Bias != nil {
		m.point(&a.bias, *c.Bias)
	}
	if c.Sums != nil {
		m.point(&a.sums, *c.Sums)
	}
	if c.Residual != nil {
		m.point(&a.residual, *c.Residual)
	}
	if c.Mask != nil {
		m.point(&a.mask, *c.Mask)
	}
	m.point(&a.work, m.library(plan.Workspace))
	m.names = append(m.names, "cuDNN "+plan.Engine+measured(plan.Measured))
	return []action{a}
}

func (a *convolution) run(*program) error {
	return a.plan.Run(uintptr(a.x), uintptr(a.w), uintptr(a.y), uintptr(a.bias), uintptr(a.sums), uintptr(a.residual), uintptr(a.mask), uintptr(a.work))
}
