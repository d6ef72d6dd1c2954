package tensorboard_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/train/tensorboard"
)

// A Fitter tells TensorBoard of its epochs through OnEpoch; "tensorboard --logdir logs" shows them.
func Example() {
	logs, err := os.MkdirTemp("", "logs")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(logs)
	training, err := tensorboard.NewWriter(filepath.Join(logs, "train"))
	if err != nil {
		log.Fatal(err)
	}
	validation, err := tensorboard.NewWriter(filepath.Join(logs, "validation"))
	if err != nil {
		log.Fatal(err)
	}
	onEpoch := func(e train.FitEpoch) error { // train.Fitter{OnEpoch: onEpoch, …}
		if err := validation.Scalar("epoch_loss", e.ValLoss, e.Epoch-1); err != nil {
			return err
		}
		return training.Scalar("epoch_loss", e.Loss, e.Epoch-1)
	}
	for _, e := range []train.FitEpoch{{Epoch: 1, Loss: 0.75, ValLoss: 0.875}, {Epoch: 2, Loss: 0.25, ValLoss: 0.5}} {
		if err := onEpoch(e); err != nil {
			log.Fatal(err)
		}
	}
	curves, err := tensorboard.ReadScalars(filepath.Join(logs, "validation"))
	fmt.Println(curves, err)
	if training.Close() != nil || validation.Close() != nil {
		log.Fatal("the disk is full")
	}
	// Output: map[epoch_loss:[{0 0.875} {1 0.5}]] <nil>
}
