package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// testCase is what was measured, whoever did.
type testCase struct {
	Arch      string `json:"arch"`
	Size      int    `json:"size"` // rows and columns of an image
	Classes   int    `json:"classes"`
	Batch     int    `json:"batch"`
	Mode      string `json:"mode"`
	Precision string `json:"precision"`
}

// call is what a call of scripts/gpu-bench.sh says first of the machine.
type call struct {
	GPU    string `json:"gpu"` // its name; all that follows in the file was measured on it
	Driver string `json:"driver"`
	Memory string `json:"memory"`
	CPU    string `json:"cpu"`
	Stheno string `json:"stheno"` // what "stheno version" says
	Commit string `json:"commit"` // of Stheno, where that is known
	Date   string `json:"date"`
}

// entry is a measurement.
type entry struct {
	testCase
	Framework       string    `json:"framework"`
	Version         string    `json:"version"`
	Variant         string    `json:"variant"` // of the framework: eager, compile, …
	Feed            string    `json:"feed"`    // where batches come from: bytes, floats, device
	ImagesPerSecond float64   `json:"images_per_second"`
	Rates           []float64 `json:"rates"` // of the rounds, whose median ImagesPerSecond is
	Memory          int64     `json:"peak_memory_bytes"`
	Joules          float64   `json:"joules_per_image"`
	Parameters      int       `json:"parameters"` // that are trained; 0 is not told
	Losses          []float64 `json:"losses"`     // the first and the last of a training
	Verified        string    `json:"verified"`   // what our results were compared with before they were timed
	Error           string    `json:"error"`      // why there are no rates

	gpu  string
	call *call // that it was measured in
}

// report is the part of a bench.Report that is used.
type report struct {
	Cases []struct {
		entry
		DeviceMemory int64 `json:"device_memory_bytes"` // that the engine holds
		PlanMemory   int64 `json:"plan_memory_bytes"`
	} `json:"cases"`
	LeftOut []struct {
		testCase
		Why string `json:"why"`
	} `json:"left_out"`
}

// ours is the framework of reports.
const ours = "Stheno"

// read adds what a file has: the machine, then lines of the contestants in Python and reports of "stheno bench", in any order.
func (r *record) read(from io.Reader) error {
	var now *call
	d := json.NewDecoder(from)
	for n := 1; ; n++ {
		var text json.RawMessage
		if err := d.Decode(&text); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			if now == nil {
				return fmt.Errorf("value %d: %w", n, err)
			}
			r.broken = append(r.broken, fmt.Sprintf("%s: value %d: %v; what comes behind it is not read", now.Date, n, err)) // a run that was killed
			return nil
		}
		var kind struct {
			GPU       *string          `json:"gpu"`
			Framework *string          `json:"framework"`
			Machine   *json.RawMessage `json:"machine"`
		}
		if err := json.Unmarshal(text, &kind); err != nil {
			return fmt.Errorf("value %d: %w", n, err)
		}
		var err error
		switch {
		case kind.GPU != nil:
			now = &call{}
			err = json.Unmarshal(text, now)
			r.calls = append(r.calls, now)
		case now == nil:
			err = errors.New(`the first value must be the machine's, with "gpu"; is this a file of scripts/gpu-bench.sh?`)
		case kind.Framework != nil:
			e := &entry{gpu: now.GPU, call: now}
			if err = json.Unmarshal(text, e); err == nil {
				r.add(e)
			}
		case kind.Machine != nil:
			err = r.report(text, now)
		default:
			err = errors.New(`wanted an object with "gpu", "framework" or "machine"`)
		}
		if err != nil {
			return fmt.Errorf("value %d: %w", n, err)
		}
	}
}

// report adds the cases of a report of "stheno bench".
func (r *record) report(text []byte, now *call) error {
	var from report
	if err := json.Unmarshal(text, &from); err != nil {
		return err
	}
	for i := range from.Cases {
		e := from.Cases[i].entry
		e.Framework, e.Version, e.gpu, e.call = ours, now.Stheno, now.GPU, now
		e.Memory = cmp.Or(from.Cases[i].DeviceMemory, from.Cases[i].PlanMemory) // peak_memory_bytes is the host's there
		r.add(&e)
	}
	for _, out := range from.LeftOut {
		r.add(&entry{testCase: out.testCase, Framework: ours, Version: now.Stheno, Error: out.Why, gpu: now.GPU, call: now})
	}
	return nil
}
