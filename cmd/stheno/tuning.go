package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/bench"
	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/suggest"
)

// tuning is where a command finds measured choices, the flag --tuning: for the CPU those of stheno tune, of which package cpu looks for
// none by itself, and for a GPU those that package cuda keeps.
type tuning struct {
	value string // auto, measure, off, or a file
	// onCPU says that a file that was named is followed by a CPU engine beside the GPU, or was by an earlier part of the run: a GPU then
	// leaves it alone.
	onCPU bool

	read  bool // the rest is known; a file is read, and complained of, once
	found *cpu.Tuning
	err   error
}

const (
	tuningAuto    = "auto"
	tuningMeasure = "measure"
	tuningOff     = "off"
)

// tuningWords are the values of the flag that are no files.
var tuningWords = []string{tuningAuto, tuningMeasure, tuningOff}

func tuningFlag(f *pflag.FlagSet) *tuning {
	t := &tuning{}
	f.StringVar(&t.value, "tuning", tuningAuto, "measured choices: auto (those that are kept: what was measured on a GPU; for the CPU the table of stheno tune in the cache folder), "+
		"measure (as auto, and on a GPU what was not measured yet is measured first), off, or for the CPU a file of stheno tune")
	return t
}

// table is the table to use, nil if there is none. One in the cache folder that cannot be used is noted and left out; one that the user
// named is an error.
func (t *tuning) table(note func(string)) (*cpu.Tuning, error) {
	if t == nil {
		return nil, nil
	}
	if !t.read {
		t.read = true
		t.found, t.err = t.load(note)
	}
	return t.found, t.err
}

// file is the table that was named, "" for what is none, however it is written.
func (t *tuning) file() string {
	for _, word := range tuningWords {
		if strings.EqualFold(t.value, word) {
			return ""
		}
	}
	return t.value
}

// errNoTuning is about a value that is empty, such as of a variable that is not set.
var errNoTuning = errors.New("--tuning is empty; use auto, measure, off, or the name of a table that stheno tune wrote")

// ofGPU is what the flag means to package cuda. A table is for the CPU, and leaves a GPU as it is.
func (t *tuning) ofGPU() (string, error) {
	switch {
	case t == nil:
		return "", nil
	case t.value == "":
		return "", errNoTuning
	case strings.EqualFold(t.value, tuningMeasure), strings.EqualFold(t.value, tuningOff):
		return strings.ToLower(t.value), nil
	}
	return "", nil
}

// check refuses, for a device that follows no table, the name of one, which is readable.
func (t *tuning) check(d string) error {
	if t == nil || t.onCPU || t.file() == "" {
		return nil
	}
	return fmt.Errorf("--tuning %s is a table for the CPU, and %s follows none; use auto, measure or off, or --device cpu", t.value, d)
}

// readable refuses a table that the user named and that is none.
func (t *tuning) readable() error {
	if t == nil || t.onCPU || t.file() == "" {
		return nil
	}
	_, err := t.named()
	return err
}

// named reads the table that the user named.
func (t *tuning) named() (*cpu.Tuning, error) {
	table, err := loadTuning(t.value)
	if err == nil {
		return table, nil
	}
	const known = "use auto, measure, off, or for the CPU the name of a table that stheno tune wrote"
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("--tuning: there is no file %q%s\n    %s", t.value, suggest.Phrase(t.value, tuningWords), known)
	}
	return nil, fmt.Errorf("--tuning: %w\n    %s", err, known)
}

// followed says, after plans were made on engines, what a table has to do with them that its user may not expect: nothing, where one that
// was named fits none of them, or less than it could.
func (t *tuning) followed(note func(string), engines ...graph.Engine) {
	if t == nil || t.found == nil {
		return
	}
	choices, foreign := 0, 0
	for _, engine := range engines {
		if e, ok := engine.(*cpu.Engine); ok {
			choices, foreign = choices+e.Choices(), foreign+e.Foreign()
		}
	}
	switch {
	case foreign > 0:
		note(fmt.Sprintf("the table of measured choices compared other ways to compute %s than there are, which are computed as if nothing had been measured; "+
			"measure again with %s tune", convolutions(foreign), programName))
	case choices == 0 && t.file() != "":
		note(fmt.Sprintf("nothing in %s is for the convolutions here, which are computed as if nothing had been measured; it is for: %s", t.file(), t.found.For()))
	}
}

func (t *tuning) load(note func(string)) (*cpu.Tuning, error) {
	switch strings.ToLower(t.value) {
	case tuningOff:
		return nil, nil
	case "":
		return nil, errNoTuning
	case tuningAuto, tuningMeasure:
		if strings.EqualFold(t.value, tuningMeasure) {
			note(byName("--tuning measure is for a GPU; for the CPU, stheno tune measures"))
		}
		path, err := tuningPath()
		if err != nil {
			return nil, nil // without a cache folder there is no table in it
		}
		table, err := loadTuning(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			note(byName(fmt.Sprintf("convolutions are computed as if nothing had been measured: %v", err)))
		}
		otherCPU(table, path, note)
		return table, nil
	}
	table, err := t.named()
	otherCPU(table, t.value, note)
	return table, err
}

// otherCPU notes that a table in path, or nil, was measured on another processor than this one.
func otherCPU(table *cpu.Tuning, path string, note func(string)) {
	if table == nil {
		return
	}
	if here := cpu.NewTuning(bench.ThisMachine().CPU).CPU(); table.CPU() != "" && here != "" && table.CPU() != here {
		note(fmt.Sprintf("the table of measured choices in %s was measured on another CPU, %s; this is %s, where other ways may be faster", path, table.CPU(), here))
	}
}

// loadTuning reads a table for the kernels in use.
func loadTuning(path string) (*cpu.Tuning, error) {
	t, err := cpu.LoadTuning(path)
	if err == nil {
		err = t.Check()
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// tuningPath is the file of this machine's table.
func tuningPath() (string, error) {
	user, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(user, "stheno", "tuning", cpu.TuningFileName(cmp.Or(bench.ThisMachine().CPU, "unknown"))), nil
}
