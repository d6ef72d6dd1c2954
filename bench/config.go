package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/stheno-ml/stheno/graph"
)

// Config is what [Run] does. Its zero value, with Cases, is useful.
type Config struct {
	Cases   []Case
	Seconds float64 // least time of a round; 0 means half a second
	Rounds  int     // 0 means 5
	Profile bool    // measure the operations of each case, too
	// Budget is seconds for everything, the measurement of what the devices do at best among it: cases that no time is left for are left out,
	// and the report says which. 0 means no limit.
	Budget float64
	// NoVerify times cases whose results were not looked at. The report says so.
	NoVerify bool

	// Open starts the engine of a case, which Run closes; nil means graph.Open, which knows the engines that the program imports. Building
	// programs had better end with the context, which is over with Run's, and with the budget: see graph.Config.
	Open func(context.Context, Case) (graph.Engine, error)
	// Ceiling tells what a device does at best with a number of threads; nil measures that of the CPU, and asks the engines of other devices
	// ([Measurer]). The CPU's is asked for a few times, and the best counts. What is not known is 0.
	Ceiling func(device string, threads int) (Ceiling, error)
	// Progress is told what happens, between the rounds and never within one; it may be nil.
	Progress func(Event)
}

// Event is a piece of progress.
type Event struct {
	Phase    Phase
	Case     Case           // that it is about; the zero value while ceilings are measured
	Number   int            // of the case, from 1
	Cases    int            // of all
	Round    int            // of Timing, from 1
	Rounds   int            // of Timing
	Verified *Verification  // of Verified
	Result   *Result        // of Timed
	Profile  *graph.Profile // of Profiled
	LeftOut  *LeftOut       // of Left
}

// Phase is the kind of an [Event].
type Phase string

// The phases of a run. Of the cases that have a reference in common, all are verified before the first is timed.
const (
	MeasuringCeilings Phase = "measuring what the device does at best"
	Referring         Phase = "computing the reference"
	Verifying         Phase = "verifying"
	Verified          Phase = "verified"
	Compiling         Phase = "compiling"
	Timing            Phase = "timing"
	Profiling         Phase = "profiling"
	Profiled          Phase = "profiled" // Event.Profile has the steps
	Timed             Phase = "timed"
	Left              Phase = "left out" // Event.LeftOut says why
)

// withDefaults checks a configuration and fills in what is usual.
func (c Config) withDefaults() (Config, error) {
	if len(c.Cases) == 0 {
		return c, errors.New("bench: there are no cases; Matrix.Cases makes some")
	}
	switch {
	case math.IsNaN(c.Seconds) || c.Seconds < 0 || c.Seconds > 3600:
		return c, fmt.Errorf("bench: rounds of %v seconds; use a number of at most 3600, or 0 for the usual one", c.Seconds)
	case math.IsNaN(c.Budget) || c.Budget < 0:
		return c, fmt.Errorf("bench: a budget of %v seconds; use a number above 0, or 0 for no limit", c.Budget)
	case c.Rounds < 0:
		return c, fmt.Errorf("bench: %d rounds; use at least 1, or 0 for the usual number", c.Rounds)
	}
	c.Seconds, c.Rounds = cmp.Or(c.Seconds, 0.5), cmp.Or(c.Rounds, 5)
	if c.Open == nil {
		c.Open = func(ctx context.Context, c Case) (graph.Engine, error) {
			return graph.Open(c.Device, graph.Config{Threads: c.Threads, Precision: c.Precision, Context: ctx})
		}
	}
	if c.Progress == nil {
		c.Progress = func(Event) {}
	}
	return c, nil
}
