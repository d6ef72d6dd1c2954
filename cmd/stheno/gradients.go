package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/internal/atomicfile"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/train/gradients"
)

func newGradients() *cobra.Command {
	c := gradients.DefaultConfig()
	t := train.Config{Data: "cifar100", Device: "auto"}
	var where source
	cmd := &cobra.Command{
		Use:   "gradients",
		Short: "Train a plain and a residual network side by side, and draw their gradients",
		Long: `Train a plain and a residual network of the same depth on the same batches, and draw how long the gradient of each layer
is, and the losses: gradients.png and gradients.svg, with the numbers in gradients.json, gradients.csv and losses.csv.

The networks are those of the CIFAR paper, 6n+2 layers, by default without normalization and initialized as Keras does:
the gradients of the plain one vanish. --init he_normal keeps the size of its signals, and lets those of the residual one grow
from block to block. With --batch-norm, as He et al. note, gradients do not vanish, yet deep plain networks train worse.
Ctrl-C ends the training and draws what there is.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runGradients(cmd, c, t, where) },
	}
	f := cmd.Flags()
	f.IntVar(&c.Depth, "depth", c.Depth, "layers with weights: 20, 32, 44, 56, 110 or another 6n+2")
	f.BoolVar(&c.BatchNorm, "batch-norm", c.BatchNorm, "batch normalization after every convolution")
	f.StringVar(&c.Initializer, "init", c.Initializer, "initializer of kernels: "+strings.Join(gradients.Initializers(), ", "))
	f.IntVar(&c.Steps, "steps", c.Steps, "steps of training")
	f.IntVar(&c.Every, "every", c.Every, "steps between two looks at the gradients")
	f.IntVar(&c.Batch, "batch", c.Batch, "images per step")
	f.Float64Var(&c.LR, "lr", c.LR, "learning rate")
	f.StringVar(&c.Optimizer, "optimizer", c.Optimizer, "optimizer: "+strings.Join(train.Optimizers(), ", ")+"; options follow a colon, as in sgd:momentum=0.9")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "seed of weights and order")
	f.StringVar(&t.Data, "data", t.Data, "data set: "+strings.Join(data.Names(), ", "))
	f.StringVar(&t.Out, "out", "", "folder to write (default runs/gradients-DEPTH-DATA-TIME)")
	where.flags(f)
	deviceFlags(f, &t.Device, &t.Threads)
	return cmd
}

func runGradients(cmd *cobra.Command, c gradients.Config, t train.Config, where source) (err error) {
	if err := c.Validate(); err != nil {
		return err
	}
	if err := data.Known(t.Data); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE)
	out := newScreen(cmd)
	defer out.Finish()
	notes := hold(out.Note, cmd.ErrOrStderr())
	engine, err := device{name: t.Device, threads: t.Threads}.open(cmd.Context(), notes.Note)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	o, err := where.options(cmd.Flags(), out)
	if err != nil {
		return err
	}
	notes.release()
	split, err := openData(cmd.Context(), &t, o, out, cmd.Flags().Changed("data") || cmd.Flags().Changed("data-dir"))
	if err != nil {
		return err
	}
	out.Printf("plain and residual network of %d layers, %s, %s; batch %d, %s, learning rate %g; %s", c.Depth, withNorm(c), split.Title, c.Batch, c.Optimizer, c.LR, computes(engine))
	report, err := gradients.Run(cmd.Context(), c, split, engine, out.Gradients)
	out.Finish()
	if report == nil {
		return err
	}
	folder, failed := writeGradients(report, cmp.Or(t.Out, "runs"), t.Out == "", t.Data)
	if failed != nil {
		return errors.Join(err, failed)
	}
	if errors.Is(err, train.ErrInterrupted) {
		out.Printf("interrupted after %d of %d steps", len(report.Nets[0].Loss), c.Steps)
	}
	for _, line := range report.Summary() {
		out.Printf("%s", line)
	}
	out.Printf("wrote %s, with gradients.svg, gradients.json, gradients.csv and losses.csv", filepath.Join(folder, "gradients.png"))
	return err
}

func withNorm(c gradients.Config) string {
	if c.BatchNorm {
		return "batch normalization, " + c.Initializer
	}
	return "no normalization, " + c.Initializer
}

// writeGradients writes the files of a report into a folder, or one of its own there, and returns it. Files of an earlier
// experiment are replaced.
func writeGradients(r *gradients.Report, folder string, own bool, set string) (string, error) {
	var err error
	if own {
		folder, err = claimOut(folder, fmt.Sprintf("gradients-%d-%s-%s", r.Config.Depth, set, time.Now().Format("20060102-150405")))
	} else {
		err = os.MkdirAll(folder, 0o755)
	}
	if err != nil {
		return "", err
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{{"gradients.png", r.WritePNG}, {"gradients.svg", r.WriteSVG}, {"gradients.csv", r.WriteNorms}, {"losses.csv", r.WriteLosses}} {
		if err := atomicfile.WriteFile(filepath.Join(folder, f.name), f.write); err != nil {
			return "", err
		}
	}
	return folder, train.WriteJSON(filepath.Join(folder, "gradients.json"), r)
}

// Gradients shows the progress of an experiment.
func (s *screen) Gradients(p gradients.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprintf("loss: plain %s, residual %s", lossText(p.Plain), lossText(p.Residual))
	if p.Remaining > 0 {
		text += "  ETA " + p.Remaining.Round(time.Second).String()
	}
	s.count("steps", "step", p.Step, p.Steps, text)
}
