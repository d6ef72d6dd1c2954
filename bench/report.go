package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/stheno-ml/stheno/graph"
)

// Report is what [Run] found out. encoding/json writes and reads it.
type Report struct {
	Machine Machine  `json:"machine"`
	Cases   []Result `json:"cases"` // in the order of Config.Cases; where the run was interrupted, those that were done
	// LeftOut are the cases that were not timed though the run went on: no time or no memory was left, or an accelerator failed in them.
	LeftOut []LeftOut `json:"left_out,omitempty"`
}

// LeftOut is a case that was not timed.
type LeftOut struct {
	Case
	Why string `json:"why"`
}

// Result is a case with what was measured.
type Result struct {
	Case
	ImagesPerSecond float64   `json:"images_per_second"` // median of Rates
	Rates           []float64 `json:"rates"`             // of the rounds
	Spread          float64   `json:"spread"`            // (fastest − slowest) / median
	Busy            bool      `json:"busy,omitempty"`    // the rounds are so far apart that something else must have used the machine
	Milliseconds    float64   `json:"ms"`                // a step, at the median rate

	FLOPs     int64   `json:"flops"` // of a step, nominal: graph.CostOf
	Bytes     int64   `json:"bytes"` // that the operations of a step read and write
	GFLOPs    float64 `json:"gflops"`
	PeakShare float64 `json:"peak_share,omitempty"` // GFLOPs as a share of what the device does at best, in float32 on the CPU, else in the precision; 0 is not known

	BytesPerSecond float64 `json:"bytes_per_second"`          // Bytes in the time of a step
	BandwidthShare float64 `json:"bandwidth_share,omitempty"` // as a share of what the device's memory does at best; 0 is not known

	PeakMemory   int64 `json:"peak_memory_bytes,omitempty"`   // the most of the host's memory that the process occupied from the case's compilation on; 0 is not known
	DeviceMemory int64 `json:"device_memory_bytes,omitempty"` // that the engine of an accelerator holds for the case, of the device's own memory
	// What the device's memory is held for, the most first.
	DeviceMemoryUses []graph.MemoryUse `json:"device_memory_uses,omitempty"`

	PlanMemory int64   `json:"plan_memory_bytes"` // of the plan's values: graph.Plan.PeakBytes
	Allocs     float64 `json:"allocs"`            // allocations a step, in the round with the fewest

	Energy float64 `json:"joules_per_image,omitempty"` // that an accelerator drew while the rounds ran, the host's left out; 0 is not known

	Speedup     float64 `json:"speedup,omitempty"`      // of an accelerator: images a second as a multiple of the CPU's; 0 where it was not measured
	SpeedupOver *Case   `json:"speedup_over,omitempty"` // the CPU's case, which may have another batch size or precision

	Engine        string  `json:"engine"`                   // "cpu with 2 threads, avx512 kernels"
	Verified      string  `json:"verified"`                 // what was compared with the reference, and how well it agrees
	VerifiedBatch int     `json:"verified_batch,omitempty"` // images of the batch that was compared: Batch, but for the training of a few
	Checks        []Check `json:"checks"`
	Kinds         []Kind  `json:"operations,omitempty"` // if Config.Profile asks for them, the longest first
}

// Kind is all operations of one kind in a step.
type Kind struct {
	Name    string  `json:"name"`
	Steps   int     `json:"steps"` // of the plan
	Seconds float64 `json:"seconds"`
	FLOPs   int64   `json:"flops"`
	Bytes   int64   `json:"bytes"`
}

// WriteJSON writes the report as an indented object.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// ReadJSON reads what WriteJSON wrote.
func ReadJSON(from io.Reader) (*Report, error) {
	r := &Report{}
	if err := json.NewDecoder(from).Decode(r); err != nil {
		return nil, err
	}
	return r, nil
}

// ceilingOf is that of a case.
func (m *Machine) ceilingOf(c Case) Ceiling {
	want := ceilingFor(c)
	for _, have := range m.Ceilings {
		if have.Device == want.Device && have.Threads == want.Threads && have.Precision == want.Precision {
			return have
		}
	}
	return want
}

// ceilingFor is the ceiling of a case, not measured yet.
func ceilingFor(c Case) Ceiling {
	want := Ceiling{Device: c.Device, Threads: c.Threads}
	if !c.onCPU() {
		want.Precision = c.Precision
	}
	return want
}

// notVerified is what a report says of a case whose results nobody looked at.
const notVerified = "not verified"

// verified fills in what was compared, if anything was.
func (r *Result) verified(v *Verification) {
	if v == nil {
		r.Verified = notVerified
		return
	}
	r.Verified, r.VerifiedBatch, r.Checks = v.String(), v.Batch, v.Checks
	if v.Batch != r.Batch {
		r.Verified += fmt.Sprintf("; verified at batch %d, timed at batch %d", v.Batch, r.Batch)
	}
}

// rated fills in what follows from the rates.
func (r *Result) rated(ceiling Ceiling) {
	sorted := slices.Sorted(slices.Values(r.Rates))
	n := len(sorted)
	r.ImagesPerSecond = (sorted[(n-1)/2] + sorted[n/2]) / 2
	r.Spread = (sorted[n-1] - sorted[0]) / r.ImagesPerSecond
	r.Busy = r.Spread > mostSpread
	steps := r.ImagesPerSecond / float64(r.Batch)
	r.Milliseconds = 1e3 / steps
	r.GFLOPs = float64(r.FLOPs) * steps / 1e9
	if ceiling.FLOPs > 0 {
		r.PeakShare = 1e9 * r.GFLOPs / ceiling.FLOPs
	}
	r.BytesPerSecond = float64(r.Bytes) * steps
	if ceiling.Bytes > 0 {
		r.BandwidthShare = r.BytesPerSecond / ceiling.Bytes
	}
}
