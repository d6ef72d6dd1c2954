package train

import (
	"errors"
	"fmt"
	"math"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/memcopy"
)

// Run computes the step for a batch of exactly the size it was compiled for: images in the order of the model's input,
// labels below the number of classes. step counts from 0 over the whole run; learning rate and step matter in training.
// It is Feed, Start and Wait in one.
func (s *Step) Run(images []float32, labels []int, learningRate float64, step int) (StepResult, error) {
	return s.RunBatch(&data.Batch{Images: images, Labels: labels}, learningRate, step)
}

// RunBatch is Run for a batch of the loader that the step was made for.
func (s *Step) RunBatch(b *data.Batch, learningRate float64, step int) (StepResult, error) {
	if err := s.FeedBatch(b, learningRate, step); err != nil {
		return StepResult{}, err
	}
	if err := s.Start(); err != nil {
		return StepResult{}, err
	}
	return s.Wait()
}

// Feed brings a batch to the device, for the next Start; images and labels may be changed afterwards. A GPU receives it while it
// computes the step that was started before.
func (s *Step) Feed(images []float32, labels []int, learningRate float64, step int) error {
	return s.FeedBatch(&data.Batch{Images: images, Labels: labels}, learningRate, step)
}

// FeedBatch is Feed for a batch of the loader that the step was made for.
func (s *Step) FeedBatch(b *data.Batch, learningRate float64, step int) error {
	if s == nil || s.machine == nil {
		return noStep
	}
	if b == nil {
		return &ArgumentError{"the batch", "is nil", "pass Iterator.Batch after a Next that was true"}
	}
	if err := s.fits(b); err != nil {
		return err
	}
	memcopy.Copy(s.images, b.Images)
	memcopy.Copy(s.pixels, b.Pixels)
	copy(s.index, b.Index)
	copy(s.draws, b.Draws)
	copy(s.labels, b.Labels)
	if s.others != nil {
		copy(s.others, b.Others)
		*s.share = gorgonia.F32(b.Share)
	}
	if s.scalars != nil {
		s.scalars.Set(learningRate, step-s.since+1)
	}
	if s.count != nil {
		*s.count = gorgonia.I(step)
		if s.shared {
			*s.count = gorgonia.I(s.batch)
		}
	}
	return s.machine.Feed()
}

// fits refuses a batch of another loader than the step was made for.
func (s *Step) fits(b *data.Batch) error {
	if (b.Pixels != nil) != (s.pixels != nil) {
		return errors.New("train: raw batches go to steps that were made for their loader with NewTrainStepFor, floats to others")
	}
	if s.others != nil && len(b.Others) != len(s.others) {
		return fmt.Errorf("train: the step takes %d labels of what is mixed in, got %d; feed batches of the loader that it was made for", len(s.others), len(b.Others))
	}
	if s.index != nil && (len(b.Index) != len(s.index) || len(b.Draws) != len(s.draws) || len(b.Labels) != len(s.labels) || b.Images != nil) {
		return fmt.Errorf("train: the step is compiled for %d numbers of images with %d numbers of draws, got %d, %d, and %d labels; feed batches of the loader that it was made for",
			len(s.index), len(s.draws), len(b.Index), len(b.Draws), len(b.Labels))
	}
	if s.index == nil && (len(b.Images) != len(s.images) || len(b.Pixels) != len(s.pixels) || len(b.Draws) != len(s.draws) || len(b.Labels) != len(s.labels)) {
		text := fmt.Sprintf("train: the step is compiled for %d images of %d numbers, got %d labels and %d numbers",
			len(s.labels), max(len(s.images), len(s.pixels))/max(len(s.labels), 1), len(b.Labels), max(len(b.Images), len(b.Pixels)))
		if n := max(len(s.labels), 1); s.pixels != nil {
			text += fmt.Sprintf(", with %d draws of %d numbers, got %d numbers", n, len(s.draws)/n, len(b.Draws))
		}
		return errors.New(text)
	}
	return nil
}

// Weigh sets the weights in the loss of the images of the batches that are fed from now on, of a step of NewWeightedTrainStep.
func (s *Step) Weigh(weights []float32) error {
	if s.weights == nil || len(weights) != len(s.weights) {
		return fmt.Errorf("train: the step takes %d weights of images, got %d; NewWeightedTrainStep makes one that takes as many as images", len(s.weights), len(weights))
	}
	for i, w := range weights {
		if !(w >= 0) || math.IsInf(float64(w), 0) {
			return fmt.Errorf("train: weight %d is %v; it must be a number of at least 0", i, w)
		}
	}
	copy(s.weights, weights)
	return nil
}

// weighClasses weighs images by their labels' classes.
func (s *Step) weighClasses(labels []int, of []float32) {
	if of == nil {
		return
	}
	for i, l := range labels {
		s.weights[i] = of[l]
	}
}

// Share says what the next batch to be fed is of an update that accumulates gradients ([Base]): part is the fraction of the update's images
// that it has, first whether it is the update's first batch, and batch its number from 0 over the whole run, by which dropout draws. So the
// update is that of all its images in one batch, but for layers that look at a batch as a whole, such as batch normalization.
func (s *Step) Share(part float64, first bool, batch int) {
	if s.scalars == nil || !s.scalars.has(partName) {
		return
	}
	*s.scalars.scalar(partName, nil).value = gorgonia.F32(part)
	*s.scalars.scalar(keepName, nil).value = gorgonia.F32(truth(!first))
	s.batch, s.shared = batch, true
}

// Start begins to compute the batch that was fed.
func (s *Step) Start() error { return s.machine.Start() }

// Queues says whether a step may be started with StartNext before the results of the one before are there: [graph.Machine.Queues].
func (s *Step) Queues() bool { return s.machine.Queues() }

// StartNext begins to compute the batch that was fed, behind one that may be under way; Wait returns the results of the older first:
// [graph.Machine.StartNext].
func (s *Step) StartNext() error { return s.machine.StartNext() }

// Wait waits for what was started and returns its results.
func (s *Step) Wait() (StepResult, error) {
	if err := s.machine.Wait(); err != nil {
		return StepResult{}, err
	}
	return StepResult{Loss: float64(*s.lossValue), Top1: int(*s.top1), Top5: int(*s.top5)}, nil
}

// Plan returns the compiled plan.
func (s *Step) Plan() *graph.Plan { return s.machine.Plan() }

// Sync makes the weights' and slots' tensors hold what the device has.
func (s *Step) Sync() error { return s.machine.Sync() }

// Refresh takes the weights' and slots' tensors over that were changed on the host, after a Sync.
func (s *Step) Refresh() error { return s.machine.Refresh() }

// StartProfile begins to record the time of every step of the plan: [graph.Machine.StartProfile].
func (s *Step) StartProfile() error { return s.machine.StartProfile() }

// StopProfile ends the recording; what was recorded stays.
func (s *Step) StopProfile() { s.machine.StopProfile() }

// Profile returns what was recorded so far, nil if nothing was ever started.
func (s *Step) Profile() *graph.Profile { return s.machine.Profile() }

// Close frees the step's memory. Of a step that is nil it does nothing.
func (s *Step) Close() error {
	if s == nil || s.machine == nil {
		return nil
	}
	return s.machine.Close()
}
