package train

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/internal/words"
	"github.com/stheno-ml/stheno/weights"
)

// EarlyStop ends training when a measure of the epochs has not become better for Patience of them: of a [Fitter] the loss, of validation or
// else of training, of a [Trainer] what Monitor says. Training that it has ended has nothing left to do, after a Load or in a resumed run too.
// Keras: callbacks.EarlyStopping, whose counting this is.
type EarlyStop struct {
	Patience int     // epochs; 0, Keras's default, ends with the first that is not better
	MinDelta float64 // better by less does not count
	// Start is how many epochs are not looked at in the beginning. Keras: start_from_epoch.
	Start int
	// Baseline, if not nil, has to be beaten: until it is, all epochs count as not better.
	Baseline *float64
	// Restore makes the weights those of the best epoch in the end. A Fitter does so when Fit ends without an error, or because the loss is no
	// number; after other errors they are as they have become, so that Fit can go on. A Trainer does so when Run ends without an error; the best
	// checkpoint of its run is then the one of that epoch, while it is else the one with the best val_top1. Keras: restore_best_weights.
	Restore bool
	// Monitor is the column of history.csv that a Trainer looks at; "" is val_loss. A Fitter has no others than the loss, and wants "".
	Monitor string
}

// earlyStopState is what an EarlyStop has seen. Checkpoints of a Fitter have it; a Trainer finds it out from history.csv.
type earlyStopState struct {
	Best     float64 `json:"best"`
	Seen     bool    `json:"seen"`               // there is a best
	Wait     int     `json:"wait"`               // epochs without a better one
	Improved bool    `json:"improved,omitempty"` // the latest epoch was the best
}

// observe takes the measure of an epoch, counted from 1, and says whether it is the best so far.
func (e *EarlyStop) observe(s *earlyStopState, epoch int, value float64) bool {
	s.Improved = false
	if epoch <= e.Start {
		return false
	}
	s.Wait++
	if s.Seen && !e.better(value, s.Best) {
		return false
	}
	s.Best, s.Seen, s.Improved = value, true, true
	if e.Baseline == nil || e.better(value, *e.Baseline) {
		s.Wait = 0
	}
	return true
}

func (e *EarlyStop) better(value, than float64) bool {
	return better(value, than, math.Abs(e.MinDelta), larger(e.Monitor))
}

// better says whether a measure is better than another by more than delta.
func better(value, than, delta float64, larger bool) bool {
	if larger {
		return value-delta > than
	}
	return value+delta < than
}

// larger says whether larger numbers are better in a column of history.csv.
func larger(column string) bool { return column != "" && !strings.HasSuffix(column, "loss") }

// ended says whether training ends after what was seen.
func (e *EarlyStop) ended(s earlyStopState) bool {
	return e != nil && s.Wait > 0 && s.Wait >= e.Patience && !s.Improved
}

// earlyStopOff is the text of none.
const earlyStopOff = "off"

// options are those of the text, with what they are set to. baseline is NaN for none.
func (e *EarlyStop) options(baseline *float64) []option {
	return []option{{"patience", &e.Patience, "of at least 0", atLeast0}, {"min_delta", &e.MinDelta, "of at least 0", atLeast0},
		{"monitor", &e.Monitor, monitors, nil}, {"start", &e.Start, "of at least 0", atLeast0}, {"baseline", baseline, "", nil}, {"restore", &e.Restore, "", nil}}
}

// ParseEarlyStop reads the text of an --early-stop flag: options with commas between them, such as "patience=10,restore":
//
//	patience=10       end after so many epochs (0) that are not better
//	min_delta=0.001   better by less (0) does not count
//	monitor=val_top1  the column of history.csv that counts (val_loss)
//	start=5           do not look at the first 5 epochs (0)
//	baseline=0.7      epochs are not better before one is better than that (none)
//	restore           end with the weights of the best epoch
//
// "" and "off" are nil. An error is an [*OptionError].
func ParseEarlyStop(text string) (*EarlyStop, error) {
	if text == "" || text == earlyStopOff {
		return nil, nil
	}
	baseline := math.NaN()
	e := &EarlyStop{Monitor: "val_loss"}
	if err := parseOptions("early stop", text, e.options(&baseline)); err != nil {
		return nil, err
	}
	if !math.IsNaN(baseline) {
		e.Baseline = &baseline
	}
	return e, nil
}

// String is the text that ParseEarlyStop reads.
func (e *EarlyStop) String() string {
	if e == nil {
		return ""
	}
	baseline, none := math.NaN(), math.NaN()
	if e.Baseline != nil {
		baseline = *e.Baseline
	}
	is, usual := *e, EarlyStop{Monitor: "val_loss"}
	if is.Monitor == "" {
		is.Monitor = usual.Monitor
	}
	if text := formatOptions(is.options(&baseline), usual.options(&none)); text != "" {
		return text
	}
	return "patience=0"
}

// stopper is the early stop of a run.
type stopper struct {
	*EarlyStop // nil where there is none
	earlyStopState
	best int // the epoch that was the best, from 1
}

// see shows it an epoch, and says whether it is the best so far.
func (s *stopper) see(row HistoryRow) bool {
	if s.EarlyStop == nil || !s.observe(&s.earlyStopState, row.Epoch, row.column(s.Monitor)) {
		return false
	}
	s.best = row.Epoch
	return true
}

// done says whether the run is to end.
func (s *stopper) done() bool { return s.ended(s.earlyStopState) }

// restores says whether the best epoch is the one that the early stop finds.
func (s *stopper) restores() bool { return s.EarlyStop != nil && s.Restore }

// metric is what decides which checkpoint is the best: of an epoch that is not, NaN.
func (s *stopper) metric(row HistoryRow, best bool) float64 {
	switch {
	case !s.restores():
		return row.ValTop1
	case best:
		return s.Best
	}
	return math.NaN()
}

// why says what ended the run after an epoch: "val_loss was not better for 3 epochs than 0.25, that of epoch 7".
func (s *stopper) why() string {
	if s.Baseline != nil && !s.better(s.Best, *s.Baseline) {
		return fmt.Sprintf("%s was not better than the baseline, %.4g, in %d %s; the best was %.4g, that of epoch %d",
			s.Monitor, *s.Baseline, s.Wait, words.Plural("epoch", s.Wait), s.Best, s.best)
	}
	return fmt.Sprintf("%s was not better for %d %s than %.4g, that of epoch %d", s.Monitor, s.Wait, words.Plural("epoch", s.Wait), s.Best, s.best)
}

// Stopped says why the run was stopped early after the epochs that it has done; "" where it was not.
func (t *Trainer) Stopped() string {
	if !t.stop.done() {
		return ""
	}
	return t.stop.why()
}

// resumeStop shows the early stop of a resumed run the epochs that are done, which are those in the history. So a run may go on with another
// early stop, as if it had been that from the beginning. was is the configuration of the checkpoint.
func (t *Trainer) resumeStop(was Config) error {
	before, err := ParseEarlyStop(was.EarlyStop)
	if err != nil {
		return fmt.Errorf("train: %s: %w", t.last, err)
	}
	if is, old := bestBy(t.stop.EarlyStop), bestBy(before); is != old {
		return fmt.Errorf("train: the run in %s keeps the checkpoint with the best %s, and would keep that with the best %s: "+
			"--early-stop was %q; a run that is resumed may have another patience and baseline, but neither more nor less of restore, and with it not another monitor, min_delta or start",
			t.cfg.Out, old, is, cmp.Or(was.EarlyStop, earlyStopOff))
	}
	if t.stop.EarlyStop == nil {
		return nil
	}
	rows, err := ReadHistory(t.dir.File(HistoryFileName))
	if err != nil {
		return err
	}
	for _, row := range rows {
		t.stop.see(row)
	}
	if len(rows) < t.state.Epoch {
		t.observer.Note(fmt.Sprintf("%s has %d of the %d epochs that are done: the early stop knows of no others", t.dir.File(HistoryFileName), len(rows), t.state.Epoch))
	}
	return nil
}

// bestBy is what the best checkpoint of a run is the best in.
func bestBy(e *EarlyStop) string {
	if e == nil || !e.Restore {
		return "val_top1"
	}
	return fmt.Sprintf("%s (min_delta %g, start %d)", e.Monitor, e.MinDelta, e.Start)
}

// restoreBest makes the weights those of the best epoch when the run ends, if they are wanted.
func (t *Trainer) restoreBest() error {
	if !t.stop.restores() || t.stop.best == 0 {
		return nil
	}
	path := filepath.Join(t.cfg.Out, CheckpointDir, weights.BestName)
	c, err := weights.LoadCheckpoint(path)
	if err != nil {
		return fmt.Errorf("train: the weights of the best epoch, %d, cannot be restored: %w", t.stop.best, err)
	}
	var of State
	if err := json.Unmarshal(c.State, &of); err != nil {
		return fmt.Errorf("train: %s: its state is not one of this program: %w", path, err)
	}
	if err := t.sync(); err != nil {
		return err
	}
	if of.Unfrozen != t.state.Unfrozen { // the optimizer had less to keep: the weights alone, as training is over
		c.Tensors = slices.DeleteFunc(c.Tensors, func(t weights.Tensor) bool { return strings.HasPrefix(t.Name, optimizerPrefix) })
		err = weights.Assign(slices.DeleteFunc(t.tensors(), func(t weights.NamedTensor) bool { return strings.HasPrefix(t.Name, optimizerPrefix) }), c.Tensors)
	} else {
		err = c.Assign(t.cfg.Arch, t.tensors())
	}
	if err != nil {
		return fmt.Errorf("train: %s: %w", path, err)
	}
	for _, s := range t.steps {
		if err := s.Refresh(); err != nil {
			return err
		}
	}
	if of.Epoch != t.stop.best { // it could not be renewed, or was changed
		t.observer.Note(fmt.Sprintf("the weights are those of epoch %d, which are in %s; those of epoch %d, the best, are not", of.Epoch, path, t.stop.best))
		return nil
	}
	t.observer.Note(fmt.Sprintf("the weights are those of epoch %d again, the best: %s", t.stop.best, path))
	return nil
}
