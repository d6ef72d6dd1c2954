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
	vain   map[string]bool    // by key: measuring failed, and is not tried again
	unkept sync.Once          // says that nothing can be kept on disk
	full   sync.Once          // says that there is no memory to measure in

	// Of the programs built so far, by key, and under the engine's mu.
	followed map[string]bool   // what was measured
	taken    map[string]string // choices among it that are not the first there is
}

// choice is what was measured for a problem, as it lies on disk.
type choice struct {
	Format  int             `json:"format"`
	Device  string          `json:"device"`
	Library string          `json:"library"` // or libraries, with versions
	Problem string          `json:"problem"`
	Choice  json.RawMessage `json:"choice"` // a cudnn.Choice, a cublaslt.Choice, or the name of a way
	// Proposed says that it is what the library proposes first, or the first way.
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
	return &tuner{engine: e, mode: mode, known: map[string]*choice{}, vain: map[string]bool{}, followed: map[string]bool{}, taken: map[string]string{}, disk: cache.Default().Folder("ways"),
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
		t.useless(key, c.library, err)
		return c.first()
	}
	w.key, w.found = key, found
	return w, nil
}

// useless forgets what was measured and cannot be followed.
func (t *tuner) useless(key, decides string, err error) {
	t.engine.say("what was measured is of no use any more, and %s decides; --tuning measure measures again: %v", decides, err)
	t.known[key] = nil
	t.disk.Remove(key)
}

// uses notes that the program follows what was measured; nil is nothing.
func (m *maker) uses(key string, found *choice) {
	if found == nil || m.apart {
		return
	}
	e := m.program.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tuner.followed[key] = true
	if !found.Proposed {
		e.tuner.taken[key] = string(found.Choice)
	}
}

// keep remembers what was measured, or that nothing was if c is nil. It returns how many ways were found that are not the first.
func (t *tuner) keep(key, library, problem string, c *choice) (others int) {
	if c == nil {
		t.vain[key] = true
		return 0
	}
	c.Format, c.Device, c.Library, c.Problem = choiceFormat, t.device, library, problem
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
	if c.Proposed {
		return 0
	}
	return 1
}

// Tuned is a digest of the measured choices that the programs built so far follow, among the ways of libraries and among theirs and our
// own, where those are not the first there are. It is "" where none are: bits are then the same as without measuring.
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
	calls, choices := 0, 0
	for key := range e.tuner.followed {
		if isChoice(key) {
			choices++
		} else {
			calls++
		}
	}
	return ", tuned for " + list(amount(calls, "call of libraries", "calls of libraries"), amount(choices, "alternative", "alternatives"))
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
		for _, x := range kernel.Calls(c.list) {
			if call := t.engine.libs.call(x); call != nil {
				calls = append(calls, call)
			}
		}
	}
	return calls
}
