//go:build gpu && cgo && linux

package cuda

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/stheno-ml/stheno/cuda/internal/cache"
	"github.com/stheno-ml/stheno/cuda/internal/cublaslt"
	"github.com/stheno-ml/stheno/cuda/internal/cudnn"
	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// tuner decides in which of a library's ways a call is computed: in the one that was measured to be the fastest, now or in an earlier
// process, else in the one that the library proposes.
type tuner struct {
	engine *Engine
	mode   string // one of tunings
	device string // all of the device that a choice depends on
	disk   *cache.Dir
	known  map[string]*choice // by key; nil: none was measured
	unkept sync.Once          // says that nothing can be kept on disk
	full   sync.Once          // says that there is no memory to measure in

	// Of the programs built so far, by key, and under the engine's mu.
	followed map[string]bool   // what was measured
	taken    map[string]string // choices among it that are not the libraries' own
}

// choice is what was measured for a problem, as it lies on disk.
type choice struct {
	Format  int             `json:"format"`
	Device  string          `json:"device"`
	Library string          `json:"library"`
	Problem string          `json:"problem"`
	Choice  json.RawMessage `json:"choice"` // a cudnn.Choice or a cublaslt.Choice
	// Proposed says that it is what the library proposes first.
	Proposed bool `json:"proposed,omitempty"`
	// How long it took, of how many ways, and how long what the library proposes first took: for information.
	Milliseconds float64 `json:"milliseconds"`
	Of           int     `json:"of"`
	First        float64 `json:"first_milliseconds,omitempty"`
}

// choiceFormat is the version of choice's form.
const choiceFormat = 1

func newTuner(e *Engine) *tuner {
	d := e.dev
	mode := e.config.Tuning
	if mode == "" {
		mode = tunings[0]
	}
	return &tuner{engine: e, mode: mode, known: map[string]*choice{}, followed: map[string]bool{}, taken: map[string]string{}, disk: cache.Default().Folder("ways"),
		device: fmt.Sprintf("%s, compute capability %d.%d, %d multiprocessors, driver for CUDA %d", d.Name, d.Major, d.Minor, d.Multiprocessors, driver.Version())}
}

// key is what a choice for a call is kept under. The error is that of a call that the library does not take.
func (t *tuner) key(c *call) (key, problem string, err error) {
	problem, err = c.problem()
	return fmt.Sprintf("way %d\n%s\n%s\n%s", choiceFormat, t.device, c.library, problem), problem, err
}

// find looks for what was measured for a call.
func (t *tuner) find(key string) *choice {
	if c, ok := t.known[key]; ok {
		return c
	}
	var c *choice
	if b := t.disk.Get(key); b != nil {
		c = new(choice)
		if err := json.Unmarshal(b, c); err != nil || c.Format != choiceFormat {
			c = nil
		}
	}
	t.known[key] = c
	return c
}

// plan plans a call.
func (t *tuner) plan(c *call) (*way, error) {
	if t.mode == "off" {
		return c.first()
	}
	key, _, err := t.key(c)
	if err != nil {
		return nil, err
	}
	found := t.find(key)
	if found == nil {
		return c.first()
	}
	w, err := c.take(found.Choice)
	switch {
	case driver.IsLost(err):
		return nil, err
	case err != nil:
		t.engine.say("what was measured is of no use any more, and %s decides; --tuning measure measures again: %v", c.library, err)
		t.known[key] = nil
		t.disk.Remove(key)
		return c.first()
	}
	t.engine.mu.Lock()
	defer t.engine.mu.Unlock()
	t.followed[key] = true
	if !found.Proposed {
		t.taken[key] = string(found.Choice)
	}
	return w, nil
}

// keep remembers what was measured.
func (t *tuner) keep(key string, c *choice) {
	t.known[key] = c
	b, err := json.Marshal(c)
	if err == nil {
		err = t.disk.Put(key, b)
	}
	if err != nil {
		t.unkept.Do(func() {
			t.engine.say("what is measured cannot be kept, so the next start measures again; set %s to a folder that can be written: %v", cache.Env, err)
		})
	}
}

// Tuned is a digest of the measured choices among the ways of libraries that the programs built so far follow, where those are not the
// libraries' own. It is "" where none are: bits are then the same as without measuring.
func (e *Engine) Tuned() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tuner == nil || len(e.tuner.taken) == 0 {
		return ""
	}
	var lines []string
	for key, choice := range e.tuner.taken {
		lines = append(lines, key+"\n"+choice+"\n")
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:8])
}

// tuned is what the engine's name says of measured choices.
func (e *Engine) tuned() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tuner == nil || len(e.tuner.followed) == 0 {
		return ""
	}
	calls := "calls"
	if len(e.tuner.followed) == 1 {
		calls = "call"
	}
	return fmt.Sprintf(", tuned for %d %s of libraries", len(e.tuner.followed), calls)
}

// measured is what the name of a way says of how it was chosen.
func measured(is bool) string {
	if is {
		return ", measured"
	}
	return ""
}

// unsupported says whether a library told that it does not compute something.
func unsupported(err error) bool {
	return errors.Is(err, cublaslt.ErrUnsupported) || errors.Is(err, cudnn.ErrUnsupported)
}

// calls lists what commands ask of libraries.
func (t *tuner) calls(all []commands) (calls []*call) {
	for _, c := range all {
		for _, command := range c.list {
			either, ok := command.(*kernel.Either)
			if !ok {
				continue
			}
			for _, try := range either.Try {
				if call := t.engine.libs.call(try); call != nil {
					calls = append(calls, call)
				}
			}
		}
	}
	return calls
}
