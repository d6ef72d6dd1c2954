//go:build gpu && cgo && linux

package cublaslt

import (
	"errors"
	"fmt"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// Choice is an algorithm that was chosen for a product, for Take. It is of use for the same problem, device and version of cuBLASLt
// only.
type Choice struct {
	Algorithm [8]uint64 `json:"algorithm"` // cublasLtMatmulAlgo_t, which only cuBLASLt reads
}

// Ways plans a product in up to most ways, the most promising first, as Plan takes the first of them. There is at least one if there
// is no error. All must be closed.
func (h *Handle) Ways(g *kernel.Gemm, maxWorkspace int64, most int) (all []*Matmul, err error) {
	m, err := h.describe(g)
	if err != nil {
		return nil, err
	}
	found, err := m.ask(maxWorkspace, most)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%w with %d bytes of working memory", ErrUnsupported, maxWorkspace)
	}
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	for i, a := range found {
		if i > 0 {
			if m, err = h.describe(g); err != nil {
				for _, made := range all {
					err = errors.Join(err, made.Close())
				}
				return nil, err
			}
		}
		m.take(a)
		all = append(all, m)
	}
	return all, nil
}

// Choice names the algorithm of the plan.
func (m *Matmul) Choice() Choice { return Choice{m.algorithm()} }

// Take plans a product with the algorithm that was chosen for it before. The error says why
// it will not do any more.
func (h *Handle) Take(g *kernel.Gemm, maxWorkspace int64, c Choice) (*Matmul, error) {
	m, err := h.describe(g)
	if err != nil {
		return nil, err
	}
	err = m.check(c.Algorithm)
	if err == nil && m.Workspace > maxWorkspace {
		err = fmt.Errorf("%w: the algorithm wants %d bytes of working memory, may take %d", ErrUnsupported, m.Workspace, maxWorkspace)
	}
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	m.Measured = true
	return m, nil
}

// Problem is all that a choice depends on besides the device and the version of cuBLASLt, in a form that is the same in every process.
func (h *Handle) Problem(g *kernel.Gemm, maxWorkspace int64) (string, error) {
	p, err := pose(g)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%+v workspace %d", p, maxWorkspace), nil
}

// Bytes are what a, b, c and bias of Run take.
func (m *Matmul) Bytes() []int64 {
	n := []int64{m.p.span(m.p.b), m.p.span(m.p.a), m.p.span(m.p.d), 0}
	if m.p.epilogue&epilogueBias != 0 {
		n[3] = int64(m.p.d.rows) * m.p.d.element()
	}
	return n
}

// span is what the matrices of a batch take, in bytes.
func (p *problem) span(m matrix) int64 {
	return (int64(p.batch-1)*m.stride + int64(m.ld)*int64(m.cols)) * m.element()
}

// element is the bytes of an element.
func (m matrix) element() int64 {
	switch m.data {
	case cudaR64F:
		return 8
	case cudaR16BF:
		return 2
	}
	return 4
}
