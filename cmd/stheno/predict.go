package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/train"
)

func newPredict() *cobra.Command {
	var from model
	var on device
	var top int
	var exif string
	cmd := &cobra.Command{
		Use:   "predict IMAGE...",
		Short: "Print the most probable classes of PNG or JPEG files",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("predict wants at least one PNG or JPEG file")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, files []string) (err error) {
			if top < 1 {
				return fmt.Errorf("--top wants at least 1, got %d", top)
			}
			m, cfg, _, err := from.load(cmd.Flags(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := overrideEXIF(cmd.Flags(), &cfg, exif, cfg.Data); err != nil {
				return err
			}
			on.ofRun(cmd.Flags(), cfg)
			engine, err := on.open(cmd.Context(), notesTo(cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, engine.Close()) }()
			p, err := train.NewPredictor(engine, m)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, p.Close()) }()
			if !isPlain(engine) { // the output is for the classes
				notesTo(cmd.ErrOrStderr())("computing on " + computes(engine))
			}
			on.tuning.followed(notesTo(cmd.ErrOrStderr()), engine)
			var failed []error // a bad file does not keep the others from being predicted
			for _, file := range files {
				if err := cmd.Context().Err(); err != nil {
					return err
				}
				if err := predict(cmd.OutOrStdout(), p, cfg, file, top); err != nil {
					failed = append(failed, err)
				}
			}
			return errors.Join(failed...)
		},
	}
	f := cmd.Flags()
	from.flags(f)
	on.flags(f)
	f.StringVar(&exif, "exif", "", exifHelp+" (default: as in training)")
	f.IntVar(&top, "top", 5, "classes to print")
	return cmd
}

// predict prints the top classes of one picture.
func predict(w io.Writer, p *train.Predictor, cfg train.Config, file string, top int) error {
	image, err := picture(cfg, file)
	if err != nil {
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
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(probs[b], probs[a]) })
	fmt.Fprintln(w, file)
	for _, class := range order[:min(top, len(order))] {
		fmt.Fprintf(w, "  %6.2f%%  %s\n", 100*probs[class], cfg.Classes[class])
	}
	return nil
}

// picture reads a picture as the network of a configuration has seen others.
func picture(cfg train.Config, file string) ([]float32, error) {
	if cfg.Data == data.FolderName {
		c := data.LoaderConfig{Normalize: cfg.Normalize(), EXIFOrientation: cfg.EXIF == train.EXIFApply}
		return c.Picture(file, cfg.Input[0])
	}
	pixels, err := data.LoadImage(file, cfg.Input)
	if err != nil {
		return nil, err
	}
	image := make([]float32, len(pixels))
	return image, cfg.Normalize().Apply(image, pixels, cfg.Input, data.NHWC)
}
