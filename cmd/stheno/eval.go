package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/weights"
)

// source is where a trained model comes from.
type source struct{ run, checkpoint string }

func (s *source) flags(f *pflag.FlagSet) {
	f.StringVar(&s.run, "run", "", "folder of a run; its best checkpoint is used")
	f.StringVar(&s.checkpoint, "checkpoint", "", "checkpoint file, instead of --run")
}

// path finds the file: the best checkpoint of a run, or its newest while no epoch is complete.
func (s *source) path() (string, error) {
	switch {
	case (s.run == "") == (s.checkpoint == ""):
		return "", errors.New("name the model with either --run FOLDER or --checkpoint FILE")
	case s.checkpoint != "":
		return s.checkpoint, nil
	}
	dir := filepath.Join(s.run, train.CheckpointDir)
	best := filepath.Join(dir, weights.BestName)
	if exists(best) {
		return best, nil
	}
	found, err := weights.Latest(dir)
	if err != nil {
		return "", fmt.Errorf("%s has no checkpoint to use: %w", s.run, err)
	}
	return found.Path, nil
}

func newEval() *cobra.Command {
	var from source
	var device, name, dir string
	var threads, limit, batch int
	cmd := &cobra.Command{
		Use:   "eval",
		Short: "Measure a trained network on the test images: loss, top-1, top-5",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			path, err := from.path()
			if err != nil {
				return err
			}
			m, cfg, err := train.LoadModel(path)
			if err != nil {
				return err
			}
			out := newScreen(cmd.OutOrStdout(), cmd.ErrOrStderr())
			defer out.Close()
			if name == "" {
				name = cfg.Data
			}
			split, err := data.Open(cmd.Context(), name, data.Options{Dir: dir, TestOnly: true, Logf: out.Printf, Progress: out.Downloads()})
			if err != nil {
				return err
			}
			if split.Test.Shape != cfg.Input || len(split.Test.Classes) != len(cfg.Classes) {
				return fmt.Errorf("%s takes images of %v with %d classes, %s has %v with %d; name the data set it was trained for with --data",
					path, cfg.Input, len(cfg.Classes), name, split.Test.Shape, len(split.Test.Classes))
			}
			engine, err := openEngine(device, threads)
			if err != nil {
				return err
			}
			defer engine.Close()
			l, err := data.NewLoader(split.Test, data.LoaderConfig{Batch: batch, Normalize: cfg.Normalize(), Limit: limit})
			if err != nil {
				return err
			}
			e := train.Evaluator{Model: m, Engine: engine}
			defer func() { err = errors.Join(err, e.Close()) }()
			r, err := e.Run(cmd.Context(), l, out.Step)
			if err != nil {
				return err
			}
			out.Finish()
			out.Printf("%s on %d test images of %s: loss %.4f  top-1 %.2f%%  top-5 %.2f%%", path, r.Examples(), split.Title, r.Loss(), 100*r.Top1(), 100*r.Top5())
			return nil
		},
	}
	f := cmd.Flags()
	from.flags(f)
	f.StringVar(&name, "data", "", "data set (default: the one it was trained on)")
	f.StringVar(&dir, "data-dir", "", "folder or archive to look in before the cache folder")
	f.StringVar(&device, "device", "auto", "auto, cpu")
	f.IntVar(&threads, "threads", 0, "CPU threads (0: one per core)")
	f.IntVar(&limit, "limit-test", 0, "use the first N images only (0: all)")
	f.IntVar(&batch, "batch", 100, "images at a time")
	return cmd
}
