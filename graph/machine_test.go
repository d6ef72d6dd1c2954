package graph_test

import (
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

func TestReferenceEngineConforms(t *testing.T) {
	enginetest.Run(t, func(*testing.T) graph.Engine { return enginetest.Reference{} }, tensor.Float32)
}
