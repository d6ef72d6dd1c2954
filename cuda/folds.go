//go:build gpu && cgo && linux

package cuda

import "github.com/stheno-ml/stheno/cuda/internal/kernel"

// Folds says where batch norms of inference had better be a part of the filters in front of them, which are then made in every run.
func (e *Engine) Folds(weights, results int) bool {
	return foldAll || kernel.Folds(weights, results, e.precision)
}

// foldAll has every batch norm folded that can be. Tests set it.
var foldAll bool
