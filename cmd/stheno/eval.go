package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// model is where a command finds a trained model, and what it expects of pixels where that is not what its file says.
type model struct {
	run, checkpoint string
	pixels
}

func (m *model) flags(f *pflag.FlagSet) {
	m.pixels.flags(f)
	f.StringVar(&m.run, "run", "", "folder of a run; its best checkpoint is used, or the newest sound one")
	f.StringVar(&m.checkpoint, "checkpoint", "", "checkpoint file, instead of --run")
}

// load reads the model with its run's configuration: of a run the best checkpoint, or the newest sound one while there is
// no best. What could not be read is noted on w. path is the file that was read.
func (m model) load(flags *pflag.FlagSet, w io.Writer) (net *nn.Model, c train.Config, path string, err error) {
	if net, c, path, err = m.read(w); err == nil {
		err = m.pixels.override(flags, &c)
	}
	return net, c, path, err
}

func (m model) read(w io.Writer) (net *nn.Model, c train.Config, path string, err error) {
	switch {
	case (m.run == "") == (m.checkpoint == ""):
		return nil, c, "", errors.New("name the model with either --run FOLDER or --checkpoint FILE")
	case m.checkpoint != "":
		if info, err := os.Stat(m.checkpoint); err == nil && info.IsDir() {
			return nil, c, "", fmt.Errorf("--checkpoint: %s is a folder; name a file, or the folder of a run with --run", m.checkpoint)
		}
		net, c, err = train.LoadModel(m.checkpoint)
		return net, c, m.checkpoint, err
	}
	switch info, err := os.Stat(m.run); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, c, "", fmt.Errorf("--run: the folder %s does not exist", m.run)
	case err == nil && !info.IsDir():
		return nil, c, "", fmt.Errorf("--run: %s is a file; name the folder of a run, or the file with --checkpoint", m.run)
	}
	r, err := train.LoadRun(m.run)
	if err != nil {
		return nil, c, "", fmt.Errorf("no model in %s: %w", m.run, err)
	}
	for _, skipped := range r.Skipped {
		fmt.Fprintf(w, "note: skipped: %v\n", skipped)
	}
	if len(r.Skipped) > 0 {
		fmt.Fprintf(w, "note: using %s instead\n", r.Path)
	}
	return r.Model, r.Config, r.Path, nil
}

func newEval() *cobra.Command {
	var from model
	var on device
	var where source
	var name string
	var limit, batch int
	var skip bool
	var details report
	var exif string
	cmd := &cobra.Command{
		Use:   "eval",
		Short: "Measure a trained network on the test images: loss, top-1, top-5",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if limit < 0 || batch < 1 {
				return fmt.Errorf("--limit-test wants at least 0 and --batch at least 1, got %d and %d", limit, batch)
			}
			if err := details.check(); err != nil {
				return err
			}
			m, cfg, path, err := from.load(cmd.Flags(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			on.ofRun(cmd.Flags(), cfg)
			notes := hold(notesTo(cmd.ErrOrStderr()), cmd.ErrOrStderr())
			engine, err := on.open(cmd.Context(), notes.Note)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, engine.Close()) }()
			if name == "" {
				name = cfg.Data
			}
			if name == "" {
				return fmt.Errorf("%s does not say which data set it was trained on; name one with --data", path)
			}
			if err := data.Known(name); err != nil {
				return err
			}
			if err := overrideEXIF(cmd.Flags(), &cfg, exif, name); err != nil {
				return err
			}
			out := newScreen(cmd)
			defer out.Finish()
			if !cmd.Flags().Changed("data") && !cmd.Flags().Changed("data-dir") && cfg.DataDir != "" {
				where.dir = cfg.DataDir
				if _, err := os.Stat(where.dir); err != nil {
					remedy := "name another with --data-dir"
					if name != data.FolderName { // which is nowhere else
						remedy += ", or leave the search to --data " + name
					}
					return fmt.Errorf("the data folder recorded in %s cannot be used: %w; %s", path, err, remedy)
				}
			}
			o, err := where.options(cmd.Flags(), out)
			if err != nil {
				return err
			}
			notes.release()
			o.TestOnly = true
			ofPictures(&o, name, out)
			if name == data.FolderName {
				o.Size, o.ValSplit = cfg.Input[0], cfg.ValSplit
			}
			split, err := data.Open(cmd.Context(), name, o)
			if err != nil {
				return err
			}
			if split.Test.Shape != cfg.Input || len(split.Test.Classes) != len(cfg.Classes) {
				return fmt.Errorf("%s takes images of %s with %d classes, %s has %s with %d; name the data set it was trained for with --data",
					path, byText(cfg.Input), len(cfg.Classes), name, byText(split.Test.Shape), len(split.Test.Classes))
			}
			l, err := data.NewLoader(split.Test, data.LoaderConfig{Batch: batch, Normalize: cfg.Normalize(), Limit: limit,
				Raw: graph.IsRemote(engine), SkipDamaged: skip || cfg.SkipDamaged,
				EXIFOrientation: cfg.EXIF == train.EXIFApply})
			if err != nil {
				return err
			}
			said := computes(engine)
			if !isPlain(engine) {
				out.Printf("%s", said)
			}
			out.Watch()
			e := train.Evaluator{Model: m, Engine: engine}
			defer func() { err = errors.Join(err, e.Close()) }()
			if e.Loss, err = cfg.LossFunction(); err != nil {
				return err
			}
			if e.Scores, err = details.scores(len(cfg.Classes)); err != nil {
				return err
			}
			r, err := e.Run(cmd.Context(), l, out.Step)
			if err != nil {
				return aboutDamaged(err, o.Dir, o.ValSplit)
			}
			out.Finish()
			for _, e := range l.Damaged() {
				out.Note(fmt.Sprintf("damaged, and another one of its class is in its place: %s: %v", e.Path, e.Err))
			}
			if is := computes(engine); is != said { // what it is tuned for is known when there is a plan
				out.Printf("%s", is)
			}
			on.tuning.followed(notesTo(cmd.ErrOrStderr()), engine)
			fmt.Fprintf(cmd.OutOrStdout(), "%s on %d test images of %s: loss %s  top-1 %.2f%%  top-5 %.2f%%\n",
				path, r.Examples(), split.Title, lossText(r.Loss()), 100*r.Top1(), 100*r.Top5())
			return details.write(cmd.OutOrStdout(), cfg.Classes)
		},
	}
	f := cmd.Flags()
	from.flags(f)
	on.flags(f)
	where.flags(f)
	f.StringVar(&name, "data", "", "data set (default: the one it was trained on, in the --data-dir of the training)")
	f.IntVar(&limit, "limit-test", 0, "use the first N images only, or of pictures in a folder N evenly spread over the classes (0: all)")
	f.StringVar(&exif, "exif", "", exifHelp+" (default: as in training)")
	f.BoolVar(&skip, "skip-damaged", false, skipDamaged+"; as is done where the checkpoint was trained so")
	f.IntVar(&batch, "batch", 100, "images at a time")
	details.flags(f)
	return cmd
}
