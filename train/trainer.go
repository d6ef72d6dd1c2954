package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/host"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// State is the position of a run, kept in every checkpoint.
type State struct {
	Epoch   int     `json:"epoch"`   // epochs completed
	Batch   int     `json:"batch"`   // batches done in the epoch after
	Step    int     `json:"step"`    // optimizer steps done
	Metrics Metrics `json:"metrics"` // of the epoch so far

	Plateau  *PlateauState `json:"plateau,omitempty"`  // of a PlateauSchedule
	Averaged int           `json:"averaged,omitempty"` // epochs in the average of Config.SWA
	Unfrozen int           `json:"unfrozen,omitempty"` // optimizer steps that were done when Config.UnfreezeAt began; 0 before
}

// Trainer is one run.
type Trainer struct {
	cfg      Config
	split    *data.Split
	engine   graph.Engine
	model    *nn.Model
	averaged *nn.Model // what is validated and saved in its place; nil where nothing is averaged
	opt      Optimizer
	slots    Slots
	schedule Schedule
	spec     ScheduleSpec // of the schedule
	stop     stopper
	board    board
	loader   *data.Loader
	tests    *data.Loader
	observer Observer
	damaged  [2]int // pictures of training and tests that were told of

	steps   map[stepKey]*Step // training steps
	profile *profiler         // nil where none is asked for, and when it is done
	eval    Evaluator
	state   State
	dir     *OutDir
	history *History
	keeper  *weights.Keeper
	last    string // newest checkpoint
	saved   int    // batches of the run at it, -1 before the first
	failed  bool   // a new run failed before its first step was done: Close takes its files away
}

// New prepares a run on an engine: the output folder, the model with its first or its resumed weights, the data. A nil
// observer is a silent one. Everything is compiled before anything is written, so that a run which does not fit into memory leaves no
// folder behind; nor does one that fails before its first step is done. What the run is recorded with in run.json, and what Config
// returns, is c with the split's name, an absolute DataDir, what the
// engine is tuned for, and what the split says of its images. The caller closes the trainer, and
// the engine after it.
func New(c Config, split *data.Split, e graph.Engine, o Observer) (*Trainer, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.clearUnused()
	if c.Weights != "" {
		abs, err := filepath.Abs(c.Weights)
		if err != nil {
			return nil, fmt.Errorf("train: the weights: %w", err)
		}
		c.Weights = abs
	}
	if c.DataDir != "" {
		abs, err := filepath.Abs(c.DataDir)
		if err != nil {
			return nil, fmt.Errorf("train: the data folder: %w", err)
		}
		c.DataDir = abs
	}
	if filepath.Base(c.TensorBoard) != c.TensorBoard && c.TensorBoard != "" {
		abs, err := filepath.Abs(c.TensorBoard)
		if err != nil {
			return nil, fmt.Errorf("train: the folder for TensorBoard: %w", err)
		}
		c.TensorBoard = abs
	}
	if o == nil {
		o = silent{}
	}
	t := &Trainer{cfg: c, split: split, engine: e, observer: o, steps: map[stepKey]*Step{}, saved: -1}
	if c.Profile != "" {
		_, watchable := e.(graph.IdleTeller)
		t.profile = &profiler{timing: !watchable}
	}
	if err := t.prepare(); err != nil {
		t.failed = !c.Resume
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *Trainer) prepare() (err error) {
	if t.opt, err = NewOptimizer(t.cfg); err != nil {
		return err
	}
	if err = t.cfg.describe(t.split); err != nil {
		return err
	}
	if err = t.begin(); err != nil {
		return err
	}
	if t.model == nil {
		if t.model, err = NewModel(t.cfg); err != nil {
			return err
		}
	}
	if err = t.cfg.feedRaw(t.model); err != nil {
		return err
	}
	if err = t.cfg.CheckPixels(); err != nil {
		return err
	}
	if err = t.cfg.freeze(t.model); err != nil {
		return err
	}
	if err = fitsMemory(t.model, t.opt, t.cfg.SWA > 0, int64(host.Memory())); err != nil {
		return err
	}
	if err = t.values(); err != nil {
		return err
	}
	t.slots = NewSlots(t.model, t.opt)
	if err = t.prepareAverages(); err != nil {
		return err
	}
	if err = t.loaders(); err != nil {
		return err
	}
	spec, err := ParseSchedule(t.cfg.Schedule)
	if err != nil {
		return err
	}
	if line := spec.unreached(t.cfg.Epochs); line != "" {
		t.observer.Note(line)
	}
	if t.schedule, err = spec.Schedule(t.cfg.LearningRate(), t.stepsPerEpoch(), t.cfg.Epochs); err != nil {
		return err
	}
	t.spec = spec
	if t.stop.EarlyStop, err = ParseEarlyStop(t.cfg.EarlyStop); err != nil {
		return err
	}
	if p, ok := t.schedule.(*PlateauSchedule); ok {
		t.state.Plateau = p.State // so that checkpoints have it
	}
	if !t.cfg.Resume { // before what takes longer; openOut looks again when the folder is locked
		if err := CheckNewOutDir(t.cfg.Out); err != nil {
			return err
		}
	}
	if err := t.checkBoard(); err != nil {
		return err
	}
	said, tells := t.engine.(fmt.Stringer)
	before := ""
	if tells {
		before = said.String()
	}
	if err := t.compileUnfrozen(); err != nil {
		return err
	}
	if err := t.compile(); err != nil {
		return err
	}
	if tells { // the engine knows now what it is tuned for
		t.cfg.Engine = strings.Replace(t.cfg.Engine, before, said.String(), 1)
	}
	t.recordTuning()
	return t.openOut()
}

// values gives the weights memory, and a new run its first values; those of a resumed one come from its checkpoint.
func (t *Trainer) values() error {
	if t.cfg.Resume {
		return t.model.Allocate(tensor.Float32)
	}
	if t.cfg.Weights != "" {
		return t.model.InitializeRest(t.cfg.Seed, tensor.Float32)
	}
	return t.model.Initialize(t.cfg.Seed, tensor.Float32)
}

func (t *Trainer) loaders() (err error) {
	// An engine with memory of its own gets bytes, a quarter of the floats, and makes the same images of them.
	norm := t.cfg.Normalize()
	raw := graph.IsRemote(t.engine)
	indexed := raw && t.fitsDevice()
	train := t.cfg.trainingLoader(t.split.Train.Files != nil, raw)
	train.Indexed = indexed
	if err := t.cfg.checkAugment(t.split.Train.Shape); err != nil {
		return err
	}
	if t.loader, err = data.NewLoader(t.split.Train, train); err != nil {
		return err
	}
	if t.cfg.SWA > t.cfg.Epochs {
		t.observer.Note(fmt.Sprintf("weights are averaged from epoch %d on, which a run of %d epochs does not have: nothing is averaged", t.cfg.SWA, t.cfg.Epochs))
	}
	if t.cfg.UnfreezeAt > t.cfg.Epochs {
		t.observer.Note(fmt.Sprintf("layers are set free from epoch %d on, which a run of %d epochs does not have: what is frozen stays so", t.cfg.UnfreezeAt, t.cfg.Epochs))
	}
	if t.cfg.Batch > t.loader.Len() {
		t.observer.Note(fmt.Sprintf("the batch of %d is larger than the training images: each epoch is one step on all %d of them", t.cfg.Batch, t.loader.Len()))
	}
	t.tests, err = data.NewLoader(t.split.Test, data.LoaderConfig{Batch: evalImages, Normalize: norm, Limit: t.cfg.LimitTest, Raw: raw, Indexed: indexed,
		SkipDamaged: t.cfg.SkipDamaged, EXIFOrientation: t.cfg.EXIF == EXIFApply})
	return err
}

// fitsDevice says whether the images of training and validation take no more than a quarter of the memory that the engine has left, and of
// the step's budget, and tells what follows. Pictures in files are fed batch by batch.
func (t *Trainer) fitsDevice() bool {
	free := graph.FreeMemory(t.engine)
	if free <= 0 || t.split.Train.Files != nil || t.split.Test.Files != nil {
		return false
	}
	need := int64(len(t.split.Train.Head(t.cfg.LimitTrain).Images)) + int64(len(t.split.Test.Head(t.cfg.LimitTest).Images))
	const mega = 1e6
	if budget := int64(t.cfg.MemoryBudget); budget > 0 && need > budget/4 { // the images are values of the step
		t.observer.Note(fmt.Sprintf("the images, %.1f MB, are more than a quarter of the memory budget, %.1f MB: every batch is copied to %s",
			float64(need)/mega, float64(budget)/mega, t.engine.Name()))
		return false
	}
	if need > free/4 {
		t.observer.Note(fmt.Sprintf("the images, %.1f MB, are more than a quarter of the free memory of %s, %.1f MB: every batch is copied there",
			float64(need)/mega, t.engine.Name(), float64(free)/mega))
		return false
	}
	t.observer.Note(fmt.Sprintf("all images, %.1f MB, are kept in the memory of %s: batches are fed as numbers", float64(need)/mega, t.engine.Name()))
	return true
}

// evalImages is the batch size of evaluations: large enough to keep all cores busy, whatever the training's is.
const evalImages = 100

// recordTuning writes down which measured choices the compiled steps follow.
func (t *Trainer) recordTuning() {
	e, ok := t.engine.(interface{ Tuned() string })
	if !ok { // a device of another kind has other bits anyway
		return
	}
	was, is := t.cfg.Tuning, e.Tuned()
	if t.cfg.Resume && was != is {
		said := func(digest string) string { return cmp.Or(digest, "none") }
		table := ""
		if t.cfg.TuningFile != "" {
			table = "; its table is " + t.cfg.TuningFile
		}
		if graph.IsRemote(t.engine) { // no table can be named for it
			t.observer.Note(fmt.Sprintf("the run followed other measured ways of libraries (%s) than there are now (%s): it goes on, but not bit for bit as it would have; "+
				"--tuning measure measures what is missing, off does without", said(was), said(is)))
			t.cfg.Tuning = is
			return
		}
		t.observer.Note(fmt.Sprintf("the run was made with other tuned convolutions (%s) than these (%s)%s: it goes on, but not bit for bit as it would have; "+
			"--tuning names a table, or is off", said(was), said(is), table))
	}
	t.cfg.Tuning = is
}

// Model returns the model that is trained.
func (t *Trainer) Model() *nn.Model { return t.model }

// Config returns the configuration as it is recorded.
func (t *Trainer) Config() Config { return t.cfg }

// State returns where the run stands.
func (t *Trainer) State() State { return t.state }

// Checkpoint is the path of the newest checkpoint, "" before the first, and when Close took it away.
func (t *Trainer) Checkpoint() string { return t.last }

// Run trains until all epochs are done or the early stop ends it (nil), ctx ends (ErrInterrupted, after saving), or something fails. Where it fails before the
// first step of a new run is done, such as when memory runs out, Close takes the run's files away: there is nothing to go on with.
func (t *Trainer) Run(ctx context.Context) (err error) {
	defer func() {
		if err != nil && !errors.Is(err, ErrInterrupted) && t.state.Step == 0 && !t.cfg.Resume {
			t.failed = true
		}
		if failed := t.finishProfile(); failed != nil { // also of an interrupted run; it is made to be looked at
			err = errors.Join(err, failed)
		}
	}()
	if t.saved < 0 { // from now on there always is a checkpoint to resume from
		if err := t.save(math.NaN()); err != nil {
			return err
		}
	}
	if t.more() {
		if err := t.openBoard(); err != nil {
			return err
		}
		if err := t.startProfile(); err != nil {
			return err
		}
	}
	defer t.countDamaged()
	for t.more() {
		if err := t.epoch(ctx); err != nil {
			return err
		}
	}
	return t.restoreBest()
}

// more says whether epochs are left to do.
func (t *Trainer) more() bool { return t.state.Epoch < t.cfg.Epochs && !t.stop.done() }

// Close frees the compiled steps and the output folder's lock. Of a new run that failed before its first step was done it removes the
// files.
func (t *Trainer) Close() error {
	errs := []error{t.closeSteps(), t.eval.Close()}
	if t.history != nil {
		errs = append(errs, t.history.Close())
		t.history = nil
	}
	errs = append(errs, t.board.close(t.failed))
	if t.dir != nil {
		if t.failed {
			errs = append(errs, t.dir.discard())
			t.last = ""
		} else {
			errs = append(errs, t.dir.Close())
		}
		t.dir = nil
	}
	return errors.Join(errs...)
}
