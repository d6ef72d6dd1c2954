package train

import (
	"maps"
	"strings"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/weights"
)

// A run that averages its weights validates the averages, and its checkpoints hold them as the model, so that whoever uses one uses them:
// what keras.callbacks.SwapEMAWeights(swap_on_epoch=True) and PyTorch's AveragedModel are for. The weights that are trained are in the
// checkpoints for the run itself, to go on with.

// trainedPrefix begins their names.
const trainedPrefix = "trained/"

// prepareAverages makes the model of the averages, with the weights as they are.
func (t *Trainer) prepareAverages() (err error) {
	t.eval = Evaluator{Model: t.model, Engine: t.engine}
	if t.eval.Loss, err = t.cfg.LossFunction(); err != nil {
		return err
	}
	if t.cfg.EMA == 0 && t.cfg.SWA == 0 {
		return nil
	}
	if t.averaged, err = NewModel(t.cfg); err != nil {
		return err
	}
	for i, w := range t.averaged.Weights() {
		trained := t.model.Weights()[i]
		switch ema := t.slots[emaSlot+"/"+w.Name]; {
		case ema != nil:
			w.Value = ema
		case t.cfg.SWA > 0: // running averages of batch normalization too, as PyTorch's AveragedModel(use_buffers=True)
			w.Value = tensor.New(tensor.WithShape(w.Shape...), tensor.Of(tensor.Float32))
		default:
			w.Value = trained.Value // as Keras, which averages trainable weights alone
		}
	}
	t.eval.Model = t.averaged
	t.takeWeights()
	return nil
}

// takeWeights makes the averages those of the weights alone.
func (t *Trainer) takeWeights() {
	t.eachAverage(func(average, w []float32) { copy(average, w) })
}

// eachAverage calls f with every average and its weight.
func (t *Trainer) eachAverage(f func(average, w []float32)) {
	if t.averaged == nil {
		return
	}
	for i, w := range t.averaged.Weights() {
		if trained := t.model.Weights()[i]; w.Value != trained.Value {
			f(w.Value.Data().([]float32), trained.Value.Data().([]float32))
		}
	}
}

// averageEpoch takes the weights at the end of an epoch into the average, once, each epoch weighing the same (Izmailov et al., "Averaging
// Weights Leads to Wider Optima and Better Generalization", 2018). Before the first such epoch the average is the weights.
func (t *Trainer) averageEpoch() error {
	if t.cfg.SWA == 0 {
		return nil
	}
	if err := t.sync(); err != nil {
		return err
	}
	n := t.state.Epoch + 1 - t.cfg.SWA + 1 // epochs in the average after this one
	switch {
	case n < 1:
		t.takeWeights()
	case t.state.Averaged < n: // else the validation of this epoch was interrupted
		t.eachAverage(func(average, w []float32) {
			if n == 1 {
				copy(average, w)
			}
			for i, v := range w {
				average[i] += (v - average[i]) / float32(n)
			}
		})
		t.state.Averaged = n
	}
	return nil
}

// sync makes all tensors hold what the device has.
func (t *Trainer) sync() error {
	for _, s := range t.steps {
		if err := s.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// tensors lists what a checkpoint holds of the run under the names there. The data is shared.
func (t *Trainer) tensors() []weights.NamedTensor {
	if t.averaged == nil {
		return runTensors(t.model, t.slots)
	}
	state := maps.Clone(t.slots)
	maps.DeleteFunc(state, func(name string, _ *tensor.Dense) bool { return strings.HasPrefix(name, emaSlot+"/") }) // these are the model there
	for i, w := range t.model.Weights() {
		if t.averaged.Weights()[i].Value != w.Value {
			state[trainedPrefix+w.Name] = w.Value
		}
	}
	return runTensors(t.averaged, state)
}
