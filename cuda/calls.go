//go:build gpu && cgo && linux

package cuda

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/stheno-ml/stheno/cuda/internal/cublaslt"
	"github.com/stheno-ml/stheno/cuda/internal/cudnn"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// call is something that a library is asked to compute, and how to ask it.
type call struct {
	library string // with its version
	problem func() (string, error)
	first   func() (*way, error)             // what the library proposes
	ways    func(try func(*way) error) error // tries what it proposes, the first first, until try returns an error
	take    func(choice json.RawMessage) (*way, error)
	only    func(choice json.RawMessage) error // lets go of what the library keeps of other ways, if it does
	// patience is how long it is measured, if that is longer than others are.
	patience time.Duration
}

// way is a plan to compute a call. Which memory run wants is what Bytes of the plan says.
type way struct {
	plan
	name      string // of what it does, for logs
	workspace int64
	run       func(at []uintptr, workspace uintptr) error
	choice    func() (any, error) // names it for take
	key       string              // of what was measured, if it is that
	found     *choice
}

// plan is a *cudnn.Plan or a *cublaslt.Matmul.
type plan interface {
	Bytes() []int64
	Close() error
}

// errEnough is what a trial of ways returns to end it.
var errEnough = errors.New("enough was tried")

// call is what a command asks of a library; nil if it asks nothing, or the library is not there.
func (l *libs) call(c kernel.Command) *call {
	switch c := c.(type) {
	case *kernel.Gemm:
		if l.blas != nil {
			return l.product(c)
		}
	case *kernel.Convolution:
		if l.dnn != nil {
			return l.convolution(c)
		}
	}
	return nil
}

// compiledPatience is how long a convolution is measured of which cuDNN compiles every way. It takes a third of a second for one on a Hopper, where
// seven sizes of tiles come before other engines: so there are four tries or so instead of two. Of more calls than those between a few large
// layers that would be minutes.
func compiledPatience(c *kernel.Convolution) time.Duration {
	if c.Select {
		return time.Second
	}
	return 0
}

func (l *libs) convolution(c *kernel.Convolution) *call {
	limit := workspaceOf(c, l.memory)
	wrap := func(p *cudnn.Plan, err error) (*way, error) {
		if err != nil {
			return nil, err
		}
		return &way{plan: p, name: p.Engine, workspace: p.Workspace, choice: func() (any, error) { return p.Choice() },
			run: func(at []uintptr, work uintptr) error {
				return p.Run(at[0], at[1], at[2], at[3], at[4], at[5], at[6], work)
			}}, nil
	}
	return &call{
		library: "cuDNN " + l.dnn.Version(), patience: compiledPatience(c),
		problem: func() (string, error) { return l.dnn.Problem(c, limit) },
		first:   func() (*way, error) { return wrap(l.dnn.PlanConvolution(c, limit)) },
		ways: func(try func(*way) error) error {
			all, err := l.dnn.Ways(c, limit)
			if err != nil {
				return err
			}
			defer all.Close()
			for {
				w, err := wrap(all.Next())
				if errors.Is(err, cudnn.ErrUnsupported) {
					return nil
				}
				if err == nil {
					err = try(w)
				}
				if err != nil {
					return err
				}
			}
		},
		take: func(choice json.RawMessage) (*way, error) {
			var x cudnn.Choice
			if err := json.Unmarshal(choice, &x); err != nil {
				return nil, err
			}
			return wrap(l.dnn.Take(c, limit, x))
		},
		only: func(choice json.RawMessage) error {
			var x cudnn.Choice
			if err := json.Unmarshal(choice, &x); err != nil {
				return err
			}
			return l.dnn.Forget(c, limit, x)
		},
	}
}

func (l *libs) product(g *kernel.Gemm) *call {
	wrap := func(m *cublaslt.Matmul) *way {
		return &way{plan: m, name: "an algorithm", workspace: m.Workspace, choice: func() (any, error) { return m.Choice(), nil },
			run: func(at []uintptr, work uintptr) error { return m.Run(l.stream, at[0], at[1], at[2], at[3], work) }}
	}
	return &call{
		library: "cuBLASLt " + l.blas.Version(),
		problem: func() (string, error) { return l.blas.Problem(g, workspace) },
		first: func() (*way, error) {
			m, err := l.blas.Plan(g, workspace)
			if err != nil {
				return nil, err
			}
			return wrap(m), nil
		},
		ways: func(try func(*way) error) error {
			all, err := l.blas.Ways(g, workspace, mostWays)
			for _, m := range all {
				if err == nil {
					err = try(wrap(m))
				} else {
					err = errors.Join(err, m.Close())
				}
			}
			return err
		},
		take: func(choice json.RawMessage) (*way, error) {
			var x cublaslt.Choice
			if err := json.Unmarshal(choice, &x); err != nil {
				return nil, err
			}
			m, err := l.blas.Take(g, workspace, x)
			if err != nil {
				return nil, err
			}
			return wrap(m), nil
		},
	}
}
