//go:build gpu && cgo && linux

package cuda

import (
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/stheno-ml/stheno/cuda/internal/cache"
	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/find"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
	"github.com/stheno-ml/stheno/cuda/internal/nvrtc"
)

// compiler makes modules of sources, once each, and keeps what NVRTC made of them on disk.
type compiler struct {
	engine  *Engine
	dev     *driver.Device
	lib     *nvrtc.Library
	options []string
	key     string // what besides the text decides what comes out
	disk    *cache.Dir
	modules map[string]*driver.Module // by text
	unkept  sync.Once                 // says that nothing can be kept on disk
}

func newCompiler(e *Engine) (*compiler, error) {
	dev := e.dev
	lib, err := nvrtc.Load(driverMajor())
	if err != nil {
		return nil, fmt.Errorf("cuda: NVRTC, which compiles the GPU's kernels, cannot be loaded; %s\n%w", find.NVRTC.Remedy, err)
	}
	arch, _ := nvrtc.ArchFor(dev.Major, dev.Minor, lib.Archs())
	if arch == "" {
		return nil, fmt.Errorf("cuda: %s has compute capability %d.%d, which is too old for the NVRTC in %s; install the NVRTC of an earlier CUDA version",
			dev.Name, dev.Major, dev.Minor, lib.Path())
	}
	c := &compiler{engine: e, dev: dev, lib: lib, modules: map[string]*driver.Module{}, disk: cache.Default(),
		options: []string{arch, "--std=c++17", "-default-device"}}
	c.key = fmt.Sprintf("nvrtc %s %s %s\n", lib.Version(), lib.Path(), strings.Join(c.options, " "))
	return c, nil
}

// compile makes sure that all sources are loaded, or returns the error of stop, which is asked between two of them unless it is nil. It runs
// on the device's thread and uses all cores.
func (c *compiler) compile(sources []kernel.Source, stop func() error) error {
	type result struct {
		source kernel.Source
		image  []byte
		old    bool
		err    error
	}
	todo, results := make(chan kernel.Source), make(chan result)
	missing := map[string]kernel.Source{}
	for _, s := range sources {
		if c.modules[s.Text] == nil {
			missing[s.Text] = s
		}
	}
	var workers sync.WaitGroup
	for range min(len(missing), runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for s := range todo {
				r := result{source: s}
				if stop != nil {
					r.err = stop()
				}
				if r.err == nil {
					r.image, r.old, r.err = c.image(s)
				}
				results <- r
			}
		})
	}
	go func() {
		for _, s := range missing {
			todo <- s
		}
		close(todo)
		workers.Wait()
		close(results)
	}()
	var first error
	for r := range results {
		if first != nil {
			continue
		}
		if r.err != nil {
			first = r.err
			continue
		}
		first = c.load(r.source, r.image, r.old)
	}
	return first
}

// load makes a module of an image. One from the disk that the driver does not take may be damaged, and is compiled anew.
func (c *compiler) load(s kernel.Source, image []byte, old bool) error {
	m, err := c.dev.Load(image)
	if err != nil && old && !driver.IsLost(err) && !driver.IsOutOfMemory(err) {
		if image, err = c.fresh(s); err != nil {
			return err
		}
		m, err = c.dev.Load(image)
	}
	if err != nil {
		return fmt.Errorf("cuda: kernels of %s: %w", s.Name, err)
	}
	c.modules[s.Text] = m
	return nil
}

// image is the compiled source, from the disk if it was compiled before: old says so.
func (c *compiler) image(s kernel.Source) (image []byte, old bool, err error) {
	if image := c.disk.Get(c.key + s.Text); image != nil {
		return image, true, nil
	}
	image, err = c.fresh(s)
	return image, false, err
}

// fresh compiles a source.
func (c *compiler) fresh(s kernel.Source) ([]byte, error) {
	image, log, err := c.lib.Compile(s.Name, s.Text, c.options...)
	if err != nil {
		return nil, fmt.Errorf("cuda: kernels of %s do not compile: %w\n%s", s.Name, err, log)
	}
	if err := c.disk.Put(c.key+s.Text, image); err != nil {
		c.unkept.Do(func() { // the errors name files of their own
			c.engine.say("compiled kernels cannot be kept, so every start compiles them anew; set %s to a folder that can be written, or to off: %v", cache.Env, err)
		})
	}
	return image, nil
}

// function finds a kernel of a compiled source.
func (c *compiler) function(l *kernel.Launch) (driver.Function, error) {
	return c.modules[l.Source.Text].Function(l.Name, l.Shared)
}
