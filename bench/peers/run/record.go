package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

// record is what was measured on a machine, in one run or several.
type record struct {
	Machine      machine        `json:"machine"`
	Measurements []*measurement `json:"measurements"`
}

// measurement is a case.
type measurement struct {
	peer.Case
	Date    string   `json:"date"`
	Seconds float64  `json:"seconds"`                 // of a turn, at least
	Trial   float64  `json:"trial_seconds,omitempty"` // of a configuration that was tried
	Entries []*entry `json:"entries"`
}

// entry is a contestant in a case. Its rate number i is that of round i.
type entry struct {
	Key     string      `json:"key"`
	Title   string      `json:"title"`
	Version string      `json:"version,omitempty"`
	Result  peer.Result `json:"result"`
	Ready   float64     `json:"ready_seconds,omitempty"` // from its start until it was ready for its turns
	Trials  []trial     `json:"trials,omitempty"`
	TriedIn string      `json:"tried_in,omitempty"` // another case, for want of time
	Reason  string      `json:"reason,omitempty"`   // why there is no result
	Cannot  bool        `json:"cannot,omitempty"`   // and it need not be asked again
}

// tells says that an entry is of a version of a contestant, and has a result, or why there never is one.
func (e *entry) tells(c contestant) bool {
	return e.Version == c.version && (len(e.Result.Rates) > 0 || e.Cannot)
}

// trial is a configuration that was tried.
type trial struct {
	Config          string  `json:"config"`
	ImagesPerSecond float64 `json:"images_per_second"`
	Reason          string  `json:"reason,omitempty"` // why there is none
}

func readRecord(name string) (*record, error) {
	r := &record{}
	if name == "" {
		return r, nil
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w; remove it to begin anew", name, err)
	}
	return r, nil
}

func (r *record) write(name string) error {
	if name == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return replace(name, append(text, '\n'))
}

// replace writes a file whole or not at all: what is killed halfway leaves the old one.
func replace(name string, text []byte) error {
	if err := os.WriteFile(name+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// add takes in a measurement, in place of an older one of the same case.
func (r *record) add(m *measurement) {
	if i := slices.IndexFunc(r.Measurements, func(old *measurement) bool { return old.Case == m.Case }); i >= 0 {
		r.Measurements[i] = m
	} else {
		r.Measurements = append(r.Measurements, m)
	}
}

// of is the measurement of a case, nil if there is none.
func (r *record) of(c peer.Case) *measurement {
	for _, m := range r.Measurements {
		if m.Case == c {
			return m
		}
	}
	return nil
}

// about is what a measurement has of a contestant, be it a result or a reason; nil if there is nothing. m may be nil.
func (m *measurement) about(key string) *entry {
	if m == nil {
		return nil
	}
	for _, e := range m.Entries {
		if e.Key == key {
			return e
		}
	}
	return nil
}

// entry is that of a contestant, nil if it has no result.
func (m *measurement) entry(key string) *entry {
	if e := m.about(key); e != nil && len(e.Result.Rates) > 0 {
		return e
	}
	return nil
}

// best is the fastest of the others, nil if there is none. That is decided by medians.
func (m *measurement) best() *entry { return m.fastest(keys()) }

// reference is the fastest of those that the wanted ratio is meant against, nil if there is none.
func (m *measurement) reference() *entry { return m.fastest(references[m.Mode]) }

func (m *measurement) fastest(among []string) (best *entry) {
	for _, key := range among {
		if e := m.entry(key); e != nil && key != ours && (best == nil || e.Result.ImagesPerSecond > best.Result.ImagesPerSecond) {
			best = e
		}
	}
	return best
}

// ratio is how many times as fast as another entry we are: the median over the rounds, the least and the most. One that had a
// single turn is held against our median.
func (m *measurement) ratio(other *entry) (median, least, most float64, ok bool) {
	us := m.entry(ours)
	if us == nil || other == nil {
		return 0, 0, 0, false
	}
	ratios := make([]float64, min(len(us.Result.Rates), len(other.Result.Rates)))
	for i := range ratios {
		ratios[i] = us.Result.Rates[i] / other.Result.Rates[i]
	}
	if len(ratios) == 1 {
		ratios[0] = us.Result.ImagesPerSecond / other.Result.ImagesPerSecond
	}
	return peer.Median(ratios), slices.Min(ratios), slices.Max(ratios), true
}
