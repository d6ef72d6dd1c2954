// Package sample holds a small balanced part of Fashion-MNIST, so that a first run trains on real images without a
// network. README.md tells what it is and how it was made, LICENSE-fashion-mnist under which terms it is used.
package sample

import _ "embed" // the files below

// The four files are idx files (28×28 grey images, labels 0–9), gzip-compressed: 500 training images and 100 test
// images of each of the ten classes.
var (
	//go:embed train-images-idx3-ubyte.gz
	TrainImages []byte
	//go:embed train-labels-idx1-ubyte.gz
	TrainLabels []byte
	//go:embed test-images-idx3-ubyte.gz
	TestImages []byte
	//go:embed test-labels-idx1-ubyte.gz
	TestLabels []byte
)
