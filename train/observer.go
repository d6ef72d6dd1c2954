package train

import (
	"errors"
	"fmt"
	"time"
)

// Progress is where a run stands, reported after every batch.
type Progress struct {
	Epoch, Epochs   int // epoch from 1
	Batch, Batches  int // batches done in this epoch, or of the validation
	Validating      bool
	Loss            float64       // running means of the epoch, or of the validation
	Top1, Top5      float64       // fractions 0…1
	ImagesPerSecond float64       // of about the last ten seconds
	Remaining       time.Duration // of this epoch's training, or of the validation, at that speed; 0 while it is unknown
	LearningRate    float64       // of the latest step; NaN where there is no training
}

// Observer is told what happens. Its methods are called from the goroutine of Run and should return soon.
type Observer interface {
	// Step is called after every batch of training and of validation.
	Step(Progress)
	// Epoch is called when an epoch is in the history and saved.
	Epoch(HistoryRow)
	// Note brings a line that a person should read, e.g. that a damaged checkpoint was skipped.
	Note(line string)
}

// ProfileObserver is an [Observer] that wants to see the profile of a run when it is complete. It is optional.
type ProfileObserver interface {
	// Profile is called once, with a profile for each size of batch, the longest first, and the files that hold them.
	Profile(profiles []*BatchProfile, files []string)
}

// silent is the observer of those who give none.
type silent struct{}

func (silent) Step(Progress)    {}
func (silent) Epoch(HistoryRow) {}
func (silent) Note(string)      {}

// ErrInterrupted is returned by a run that its context ended; everything is saved and it can be resumed.
var ErrInterrupted = errors.New("interrupted")

// DivergedError says that a number of the training is not finite any more. Nothing of such a step is ever saved.
type DivergedError struct {
	Epoch, Step  int     // epoch from 1, optimizer steps begun
	What         string  // "the loss", "the validation loss", or the name of a tensor of the checkpoint
	Value        float64 // NaN or an infinity
	LearningRate float64 // of the step
	Checkpoint   string  // newest sound checkpoint; "" where nobody keeps any
}

// Error says where it happened, which checkpoint is sound and what to change.
func (e *DivergedError) Error() string {
	if e.Checkpoint == "" {
		return fmt.Sprintf("train: %s became %v in epoch %d, step %d, at learning rate %.3g\n"+
			"    look for numbers that are not finite in the data; begin again with a lower learning rate, or with a warm-up", e.What, e.Value, e.Epoch, e.Step, e.LearningRate)
	}
	return fmt.Sprintf("train: %s became %v in epoch %d, step %d, at learning rate %.3g; the last good checkpoint is %s\n"+
		"    start again with a lower --lr, or with a warm-up, e.g. --schedule cosine+warmup:1", e.What, e.Value, e.Epoch, e.Step, e.LearningRate, e.Checkpoint)
}
