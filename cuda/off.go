//go:build !gpu || !cgo || !linux

package cuda

import (
	"errors"

	"github.com/stheno-ml/stheno/graph"
)

// errNotBuilt says why nothing of this package works in this program.
var errNotBuilt = errors.New("cuda: this program was built without the CUDA engine; build it on Linux with cgo and the tag gpu (make gpu-build)")

// Built says whether this program has the CUDA engine.
const Built = false

// Engine is a graph.Engine for one GPU.
type Engine struct{ graph.Engine }

// New opens a GPU.
func New(Config) (*Engine, error) { return nil, errNotBuilt }

func devices() ([]Device, error) { return nil, errNotBuilt }

func libraries() []Library { return nil }
