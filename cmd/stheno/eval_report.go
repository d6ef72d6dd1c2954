package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/internal/atomicfile"
	"github.com/stheno-ml/stheno/metrics"
)

// report is what eval says beyond the accuracies.
type report struct {
	table     bool
	csv       string // file of the confusion matrix
	csvAsked  func() bool
	confusion *metrics.Confusion
}

func (r *report) flags(f *pflag.FlagSet) {
	f.BoolVar(&r.table, "report", false, "print precision, recall, F1 and the number of images of every class, and their means")
	f.StringVar(&r.csv, "confusion", "", "write the confusion matrix to this CSV file: rows are labels, columns predictions")
	r.csvAsked = func() bool { return f.Changed("confusion") }
}

// check refuses what would come out only when everything is computed.
func (r *report) check() error {
	if r.csvAsked() && r.csv == "" { // such as of a variable that is not set
		return errors.New("--confusion= is empty; name the CSV file")
	}
	if r.csv == "" {
		return nil
	}
	if _, err := os.Stat(filepath.Dir(r.csv)); err != nil {
		return fmt.Errorf("--confusion: %w; make the folder first", err)
	}
	if info, err := os.Stat(r.csv); err == nil && info.IsDir() {
		return fmt.Errorf("--confusion: %s is a folder; name a file in it", r.csv)
	}
	return nil
}

// scores is what takes the scores of each batch; nil where nobody wants to know.
func (r *report) scores(classes int) (func([]float32, []int) error, error) {
	if !r.table && r.csv == "" {
		return nil, nil
	}
	var err error
	r.confusion, err = metrics.NewConfusion(classes)
	return func(scores []float32, labels []int) error { return r.confusion.Update(scores, labels, nil) }, err
}

// write prints and writes what was asked for.
func (r *report) write(w io.Writer, classes []string) error {
	if r.table {
		fmt.Fprintf(w, "\n%s", r.confusion.Report(classes))
	}
	if r.csv == "" {
		return nil
	}
	err := atomicfile.WriteFile(r.csv, func(w io.Writer) error { return r.confusion.WriteCSV(w, classes) })
	if err != nil {
		return fmt.Errorf("--confusion: %w", err)
	}
	return nil
}
