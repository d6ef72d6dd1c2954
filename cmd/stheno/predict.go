package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/train"
)

func newPredict() *cobra.Command {
	var from source
	var device string
	var threads, top int
	cmd := &cobra.Command{
		Use:   "predict IMAGE...",
		Short: "Print the most probable classes of PNG or JPEG files",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("predict wants at least one PNG or JPEG file")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, files []string) (err error) {
			if top < 1 {
				return fmt.Errorf("--top wants at least 1, got %d", top)
			}
			path, err := from.path()
			if err != nil {
				return err
			}
			m, cfg, err := train.LoadModel(path)
			if err != nil {
				return err
			}
			engine, err := openEngine(device, threads)
			if err != nil {
				return err
			}
			defer engine.Close()
			p, err := train.NewPredictor(engine, m)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, p.Close()) }()
			var failed []error // a bad file does not keep the others from being predicted
			for _, file := range files {
				if err := predict(cmd, p, cfg, file, top); err != nil {
					failed = append(failed, err)
				}
			}
			return errors.Join(failed...)
		},
	}
	f := cmd.Flags()
	from.flags(f)
	f.StringVar(&device, "device", "auto", "auto, cpu")
	f.IntVar(&threads, "threads", 0, "CPU threads (0: one per core)")
	f.IntVar(&top, "top", 5, "classes to print")
	return cmd
}

func predict(cmd *cobra.Command, p *train.Predictor, cfg train.Config, file string, top int) error {
	pixels, err := data.LoadImage(file, cfg.Input)
	if err != nil {
		return err
	}
	image := make([]float32, len(pixels))
	if err := cfg.Normalize().Apply(image, pixels, cfg.Input, data.NHWC); err != nil {
		return err
	}
	probs, err := p.Run(image)
	if err != nil {
		return err
	}
	order := make([]int, len(probs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case probs[a] > probs[b]:
			return -1
		case probs[a] < probs[b]:
			return 1
		}
		return 0
	})
	w := cmd.OutOrStdout()
	fmt.Fprintln(w, file)
	for _, class := range order[:min(top, len(order))] {
		fmt.Fprintf(w, "  %6.2f%%  %s\n", 100*probs[class], cfg.Classes[class])
	}
	return nil
}
