package data_test

import (
	"context"
	"fmt"
	"log"

	"github.com/stheno-ml/stheno/data"
)

// One epoch over a data set, augmented and standardised. Any name of data.Names can stand in place of "sample"; with
// data.OpenOrSample the program runs without a network too.
func Example() {
	ctx := context.Background()
	split, err := data.Open(ctx, "sample", data.Options{})
	if err != nil {
		log.Fatal(err)
	}
	loader, err := data.NewLoader(split.Train, data.LoaderConfig{
		Batch: 128, Seed: 1, Shuffle: true,
		Augment:   data.Augment{PadCrop: 4, HorizontalFlip: true},
		Normalize: data.Standardize(split.Train),
	})
	if err != nil {
		log.Fatal(err)
	}
	epoch := loader.Epoch(0, 0)
	defer epoch.Close()
	images := 0
	for epoch.Next(ctx) {
		b := epoch.Batch() // b.Images: b.N×32×32×3 float32; b.Labels: b.N ints
		images += b.N
	}
	if err := epoch.Err(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(loader.Batches(), "batches,", images, "images,", len(split.Train.Classes), "classes")
	// Output: 40 batches, 5000 images, 10 classes
}
