package train

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/stheno-ml/stheno/train/tensorboard"
)

// TensorBoardName is the usual name of the folder for TensorBoard in a run's folder.
const TensorBoardName = "tensorboard"

// The folders below it are two runs to TensorBoard, as Keras's callback has them.
const (
	boardTrain      = "train"
	boardValidation = "validation"
)

// batchPrefix begins the tags whose steps are batches; those of others are epochs, counted from 0 as in Keras.
const batchPrefix = "batch_"

// histogramSuffix ends the tags of weights.
const histogramSuffix = "/histogram"

// board tells TensorBoard of a run.
type board struct {
	train, validation *tensorboard.Writer // nil where nothing is told
	made              []string            // folders that were not there before
	ours              bool                // there may be files of this run
}

// TensorBoardDir is the folder for TensorBoard, "" for none.
func (c Config) TensorBoardDir() string {
	if c.TensorBoard != "" && filepath.Base(c.TensorBoard) == c.TensorBoard {
		return filepath.Join(c.Out, c.TensorBoard)
	}
	return c.TensorBoard
}

// checkBoard refuses a folder with the files of another run, which TensorBoard would take for this one's.
func (t *Trainer) checkBoard() error {
	t.board.ours = t.goesOnBoard()
	return t.checkBoardFiles()
}

func (t *Trainer) checkBoardFiles() error {
	dir := t.cfg.TensorBoardDir()
	if dir == "" || t.board.ours {
		return nil
	}
	for _, sub := range []string{boardTrain, boardValidation} {
		files, err := tensorboard.Files(filepath.Join(dir, sub))
		if err != nil {
			return fmt.Errorf("train: the folder for TensorBoard cannot be used: %w; name another with --tensorboard=DIR", err)
		}
		if len(files) > 0 {
			return fmt.Errorf("train: %s holds another run's event files (%s); name another folder with --tensorboard=DIR", dir, filepath.Join(sub, filepath.Base(files[0])))
		}
	}
	return nil
}

// goesOnBoard says whether the run told TensorBoard of itself in the same folder before: its run.json does, which is not written anew yet.
// A folder in the run's is its own, also where some parts of the run had none.
func (t *Trainer) goesOnBoard() bool {
	if !t.cfg.Resume {
		return false
	}
	if filepath.Dir(t.cfg.TensorBoardDir()) == filepath.Clean(t.cfg.Out) {
		return true
	}
	was, err := ReadJSON[Config](filepath.Join(t.cfg.Out, RunFileName))
	return err != nil || was.TensorBoard == t.cfg.TensorBoard // where nobody knows, ReadConfig took it from a checkpoint
}

// openBoard begins the event files of this part of the run.
func (t *Trainer) openBoard() error {
	dir := t.cfg.TensorBoardDir()
	if dir == "" || t.board.train != nil {
		return nil
	}
	if err := t.checkBoardFiles(); err != nil { // of a run that began while this one was prepared
		return err
	}
	for _, to := range []struct {
		dir    string
		writer **tensorboard.Writer
	}{{filepath.Join(dir, boardTrain), &t.board.train}, {filepath.Join(dir, boardValidation), &t.board.validation}} {
		for _, d := range []string{dir, to.dir} {
			if _, err := os.Stat(d); errors.Is(err, os.ErrNotExist) {
				t.board.made = append(t.board.made, d)
			}
		}
		w, err := tensorboard.Resume(to.dir, t.onBoard)
		if err != nil {
			return fmt.Errorf("train: %w\n    name another folder with --tensorboard=DIR, or none with --tensorboard=", err)
		}
		*to.writer = w
	}
	return nil
}

// onBoard says whether what was told of a step is of what the run has done; it may have gone further, and have been killed.
func (t *Trainer) onBoard(tag string, step int64) bool {
	if strings.HasPrefix(tag, batchPrefix) && !strings.HasSuffix(tag, histogramSuffix) { // there are layers called batch_normalization
		return step <= int64(t.batches())
	}
	return step < int64(t.state.Epoch)
}

// boardBatch tells of the batch that is done: the means of the epoch so far, as Keras does.
func (t *Trainer) boardBatch() error {
	every := t.cfg.TensorBoardSteps
	if t.board.train == nil || every == 0 || t.batches()%every != 0 {
		return nil
	}
	m := t.state.Metrics
	return tell(t.board.train, batchPrefix, t.batches(), measures(m.Loss(), m.Top1(), m.Top5()))
}

// boardEpoch tells of an epoch, which is in the history.
func (t *Trainer) boardEpoch(row HistoryRow) error {
	if t.board.train == nil {
		return nil
	}
	const prefix = "epoch_"
	step := row.Epoch - 1
	training := append(measures(row.Loss, row.Top1, row.Top5), measure{"learning_rate", row.LearningRate}, measure{"images_per_second", row.ImagesPerSecond})
	if err := tell(t.board.train, prefix, step, training); err != nil {
		return err
	}
	if err := tell(t.board.validation, prefix, step, measures(row.ValLoss, row.ValTop1, row.ValTop5)); err != nil {
		return err
	}
	if every := t.cfg.TensorBoardHistograms; every == 0 || step%every != 0 {
		return nil
	}
	if err := t.sync(); err != nil {
		return err
	}
	for _, w := range t.model.Weights() {
		values := w.Value.Data().([]float32)
		if v, ok := firstNonFinite(values); ok {
			return t.diverged(w.Name, float64(v))
		}
		if err := t.board.train.Histogram(w.Name+histogramSuffix, values, step); err != nil {
			return fmt.Errorf("train: %w", err)
		}
	}
	return nil
}

// measure is a number with its name in tags.
type measure struct {
	name  string
	value float64
}

func measures(loss, top1, top5 float64) []measure {
	return []measure{{"loss", loss}, {"accuracy", top1}, {"top_5_accuracy", top5}}
}

func tell(w *tensorboard.Writer, prefix string, step int, list []measure) error {
	for _, m := range list {
		if err := w.Scalar(prefix+m.name, m.value, step); err != nil {
			return fmt.Errorf("train: %w", err)
		}
	}
	return nil
}

// close closes the files, and removes them if the run is to leave nothing.
func (b *board) close(discard bool) error {
	var errs []error
	for _, w := range []*tensorboard.Writer{b.train, b.validation} {
		if w == nil {
			continue
		}
		errs = append(errs, w.Close())
		if discard {
			errs = append(errs, os.Remove(w.Path()))
		}
	}
	for i := range b.made {
		if discard {
			_ = os.Remove(b.made[len(b.made)-1-i]) // unless something else is in it
		}
	}
	*b = board{}
	return errors.Join(errs...)
}
