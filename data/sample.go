package data

import (
	"bytes"
	"fmt"

	"github.com/stheno-ml/stheno/data/internal/sample"
)

const sampleTitle = "built-in sample of Fashion-MNIST"

// Sample returns the built-in data set: 5,000 training and 1,000 test images of Fashion-MNIST (balanced, MIT licence,
// Zalando SE 2017), given a border and three equal channels so that they are 32×32×3. Each call returns its own copy.
func Sample() (*Split, error) {
	s := &Split{
		Name: SampleName, Title: sampleTitle, Source: "built in",
		Cite: findSet("fashion-mnist").cite,
	}
	var err error
	if s.Train, err = sampleHalf("train", sample.TrainImages, sample.TrainLabels); err != nil {
		return nil, err
	}
	if s.Test, err = sampleHalf("test", sample.TestImages, sample.TestLabels); err != nil {
		return nil, err
	}
	return s, nil
}

func sampleHalf(half string, images, labels []byte) (*Dataset, error) {
	at := "built-in " + half + " images"
	pixels, n, h, w, err := ReadIDXImages(bytes.NewReader(images), at)
	if err != nil {
		return nil, err
	}
	classes := fashionClasses()
	ls, err := ReadIDXLabels(bytes.NewReader(labels), "built-in "+half+" labels", len(classes))
	if err != nil {
		return nil, err
	}
	if len(ls) != n {
		return nil, fmt.Errorf("data: %s: %d images, %d labels", at, n, len(ls))
	}
	d := &Dataset{Name: SampleName + "/" + half, Shape: [3]int{h, w, 1}, Classes: classes, Images: pixels, Labels: ls}
	return d.Expand(32, 32, 3)
}
