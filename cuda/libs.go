//go:build gpu && cgo && linux

package cuda

import "github.com/stheno-ml/stheno/cuda/internal/kernel"

// libs are the libraries that an engine calls.
type libs struct{}

func (e *Engine) openLibs(without []string) (*libs, error) { return &libs{}, nil }

func (l *libs) Close() error { return nil }

func (m *maker) gemm(*kernel.Gemm) ([]action, error) { return nil, errUnsupported }

func (m *maker) convolution(*kernel.Convolution) ([]action, error) { return nil, errUnsupported }

func libraries() []Library { return nil }
