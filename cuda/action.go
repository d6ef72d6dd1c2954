//go:build gpu && cgo && linux

package cuda

import (
	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// launch runs a kernel.
type launch struct {
	*driver.Launch
	spec *kernel.Launch
}

func (l *launch) run(p *program) error { return l.Run(p.engine.on) }

// fill sets memory.
type fill struct {
	to    uint64
	value byte
	bytes int64
}

func (f *fill) run(p *program) error {
	return p.engine.on.Fill(driver.Ptr(f.to), f.value, f.bytes)
}

// move copies memory of the device.
type move struct {
	to, from uint64
	bytes    int64
}

func (m *move) run(p *program) error {
	return p.engine.on.Copy(driver.Ptr(m.to), driver.Ptr(m.from), m.bytes)
}
