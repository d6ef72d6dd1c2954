package train

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
)

// identity is the configuration without what may differ between the parts of one run.
func (c Config) identity() Config {
	c.Epochs, c.DataDir, c.Device, c.Threads, c.Keep, c.SaveEvery = 0, "", "", 0, 0, 0
	c.Engine, c.Version, c.Tuning, c.TuningFile, c.Recipe = "", "", "", "", ""
	c.Out, c.Resume, c.Profile, c.ProfileSteps = "", false, "", 0
	c.Weights, c.Pretrained = "", nil
	c.Recompute, c.MemoryBudget, c.SkipDamaged = "", 0, false
	c.EarlyStop, c.TensorBoard, c.TensorBoardSteps, c.TensorBoardHistograms = "", "", 0, 0
	c.clearUnused()
	if s, err := parseOptimizer(c.Optimizer); err == nil { // other words for the same are the same run
		c.Optimizer = s.String()
	}
	if s, err := ParseSchedule(c.Schedule); err == nil {
		c.Schedule = s.String()
	}
	return c
}

// clearUnused sets what the optimizer does not use to zero, so that no run seems to have used it, and leaves out what says
// nothing.
func (c *Config) clearUnused() {
	if c.Recompute == graph.RecomputeOff.String() {
		c.Recompute = ""
	}
	if c.EarlyStop == earlyStopOff {
		c.EarlyStop = ""
	}
	if c.Precision == FP32 {
		c.Precision = ""
	}
	if c.EXIF == EXIFIgnore {
		c.EXIF = ""
	}
	if s, err := parseOptimizer(c.Optimizer); err == nil {
		if s.name != "sgd" || s.names("momentum") {
			c.Momentum = 0
		}
	}
	c.Loss = c.lossText()
	if c.Accumulate == 1 {
		c.Accumulate = 0
	}
}

// Recorded is the configuration in the words that a run is recorded in: without what the optimizer does not use, and what says nothing.
func (c Config) Recorded() Config {
	c.clearUnused()
	return c
}

// LearningRate is the rate that Schedule is relative to: LR, or where LRBatch is set LR for so many images an update, in proportion to how
// many there are (the linear scaling of Goyal et al., "Accurate, Large Minibatch SGD", 2017, section 2.1).
func (c Config) LearningRate() float64 {
	if c.LRBatch == 0 {
		return c.LR
	}
	return c.LR * float64(c.Batch) * float64(max(c.Accumulate, 1)) / float64(c.LRBatch)
}

// Normalize is what the run's networks expect of pixels.
func (c Config) Normalize() data.Normalize {
	return data.Normalize{Raw: c.RawPixels, Mean: c.Mean, Std: c.Std}
}

// describe fills in what the data set says, and where a run is resumed checks first that it is the same data set.
func (c *Config) describe(split *data.Split) error {
	if split == nil || split.Train == nil || split.Test == nil {
		return errors.New("train: a run needs training and test images")
	}
	if c.Resume && split.Name != "" && split.Name != c.Data {
		return fmt.Errorf("train: the run in %s was made on %q, not on %q; give the same data set", c.Out, c.Data, split.Name)
	}
	c.Data = cmp.Or(split.Name, c.Data)
	images := [2]int{split.Train.Len(), split.Test.Len()}
	var md5 []string
	for _, f := range split.Files {
		md5 = append(md5, f.MD5)
	}
	if c.Resume {
		switch {
		case c.Input != split.Train.Shape || c.Images != images || !slices.Equal(c.Classes, split.Train.Classes):
			return fmt.Errorf("train: the run in %s was made on %d+%d images of %s in %d classes, %s has %d+%d of %s in %d; give the same data set%s",
				c.Out, c.Images[0], c.Images[1], sides(c.Input[:]), len(c.Classes), split.Title, images[0], images[1], sides(split.Train.Shape[:]),
				len(split.Train.Classes), putBack(split))
		case !slices.Equal(c.DataMD5, md5):
			return fmt.Errorf("train: the files of %s in %s are not those that the run in %s was made on (other digests); "+
				"name the folder of those with --data-dir%s", split.Title, split.Source, c.Out, putBack(split))
		}
	}
	c.Input, c.Classes, c.Images, c.DataMD5 = split.Train.Shape, split.Train.Classes, images, md5
	weights, err := classWeights(c.ClassWeight, split.Train, c.LimitTrain)
	if err != nil {
		return err
	}
	c.ClassWeights = weights
	if c.Standardise {
		n := data.Standardize(split.Train)
		c.Mean, c.Std = n.Mean, n.Std
	}
	return nil
}
