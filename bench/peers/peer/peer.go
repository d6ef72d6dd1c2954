// Package peer is what the contestants of bench/peers that are written in Go have in common: their arguments, the check before the
// timing, the rounds, and the line of JSON. peer.py is its counterpart in Python and describes how a contestant is called.
package peer

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"github.com/stheno-ml/stheno/internal/host"
)

// Classes is the number of classes of every net.
const Classes = 100

// Train and Inference are the modes of a case.
const (
	Train     = "train"
	Inference = "inference"
)

// CannotStatus is the exit status of a contestant that cannot do the case that it is asked for.
const CannotStatus = 77

// ErrCannot is wrapped by the errors of Prepare that say why a contestant cannot do a case.
var ErrCannot = errors.New("cannot do this case")

// Case is a net, a batch and what is done with them.
type Case struct {
	Arch    string `json:"arch"`
	Size    int    `json:"size"` // rows and columns of an image
	Batch   int    `json:"batch"`
	Threads int    `json:"threads"`
	Mode    string `json:"mode"` // Train or Inference
}

// Result is what a contestant prints in the end.
type Result struct {
	Case
	Framework       string    `json:"framework"`
	Version         string    `json:"version"`
	Config          string    `json:"config"`
	ImagesPerSecond float64   `json:"images_per_second"` // the median of Rates
	Rates           []float64 `json:"rates"`             // images a second, of each round
	PeakMemory      int64     `json:"peak_memory_bytes"` // the most that its process occupied
}

// Description is what a contestant prints for --describe.
type Description struct {
	Framework string   `json:"framework"`
	Version   string   `json:"version"`
	Configs   []string `json:"configs"` // those worth a try
}

// Instance is a prepared case.
type Instance struct {
	Step  func() error       // the work on one batch
	Batch int                // images in a batch, if fewer than the case has: what the framework can bear; 0 means the case's
	Loss  func() float64     // of the last step, when training
	Rows  func() [][]float32 // the outputs of the last step for the first images, else
}

// Contestant is a framework.
type Contestant struct {
	Framework, Version string
	Configs            func(Case) []string // the names of its configurations, the first of which is the default
	Prepare            func(c Case, config string) (Instance, error)
}

// Main runs the contestant as a program.
func Main(c Contestant) {
	if err := c.run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, ErrCannot) {
			os.Exit(CannotStatus)
		}
		os.Exit(1)
	}
}

func (c Contestant) run() error {
	r := Result{Framework: c.Framework, Version: c.Version}
	flag.StringVar(&r.Arch, "arch", "vgg16", "simplecnn, vgg16 or resnet50")
	flag.IntVar(&r.Size, "size", 32, "rows and columns of an image")
	flag.IntVar(&r.Batch, "batch", 32, "images in a batch")
	flag.IntVar(&r.Threads, "threads", 2, "threads that compute")
	flag.StringVar(&r.Mode, "mode", Train, "train or inference")
	seconds := flag.Float64("seconds", 2, "least seconds of a round")
	rounds := flag.Int("rounds", 5, "rounds")
	flag.StringVar(&r.Config, "config", "", "the configuration; -describe lists them")
	paced := flag.Bool("paced", false, "do a round for every line of the input")
	describe := flag.Bool("describe", false, "print version and configurations")
	flag.Parse()
	out := json.NewEncoder(os.Stdout)
	configs := c.Configs(r.Case)
	if *describe {
		return out.Encode(Description{c.Framework, c.Version, configs})
	}
	r.Config = cmp.Or(r.Config, configs[0])
	in, err := c.Prepare(r.Case, r.Config)
	if err != nil {
		return err
	}
	r.Batch = cmp.Or(in.Batch, r.Batch)
	if err := in.check(r.Mode); err != nil {
		return err
	}
	measure := func() (float64, error) {
		begin, steps := time.Now(), 0
		for {
			if err := in.Step(); err != nil {
				return 0, err
			}
			steps++
			if spent := time.Since(begin).Seconds(); spent >= *seconds {
				rate := float64(steps*r.Batch) / spent
				r.Rates = append(r.Rates, rate)
				return rate, nil
			}
		}
	}
	if *paced {
		if err := out.Encode(map[string]bool{"ready": true}); err != nil {
			return err
		}
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			rate, err := measure()
			if err != nil {
				return err
			}
			if err := out.Encode(map[string]float64{"images_per_second": rate}); err != nil {
				return err
			}
		}
	} else {
		for range *rounds {
			if _, err := measure(); err != nil {
				return err
			}
		}
	}
	r.ImagesPerSecond, r.PeakMemory = Median(r.Rates), host.PeakMemory()
	return out.Encode(r)
}

// check warms up, and makes sure that the step does what it should: training lowers the loss, inference gives probabilities.
func (in Instance) check(mode string) error {
	if mode == Train {
		var losses []float64
		for len(losses) < 3 || losses[len(losses)-1] >= losses[0] {
			if len(losses) == 12 {
				return fmt.Errorf("the loss does not fall: %v", losses)
			}
			if err := in.Step(); err != nil {
				return err
			}
			losses = append(losses, in.Loss())
			if last := losses[len(losses)-1]; math.IsNaN(last) || math.IsInf(last, 0) {
				return fmt.Errorf("the loss is not finite: %v", losses)
			}
		}
		return nil
	}
	for range 2 {
		if err := in.Step(); err != nil {
			return err
		}
	}
	rows := in.Rows()
	for _, row := range rows {
		sum := 0.0
		for _, p := range row {
			sum += float64(p)
		}
		if len(row) != Classes || !(math.Abs(sum-1) < 1e-3) {
			return fmt.Errorf("the outputs are no probabilities: %v", row)
		}
	}
	if len(rows) > 1 && slices.Equal(rows[0], rows[1]) {
		return errors.New("different images have the same outputs")
	}
	return nil
}

// Median is the middle of the numbers, the mean of the two in the middle of an even number of them, and 0 of none.
func Median(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	xs = slices.Sorted(slices.Values(xs))
	return (xs[len(xs)/2] + xs[(len(xs)-1)/2]) / 2
}
