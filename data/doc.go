// Package data finds, checks and serves image data sets.
//
//	split, notice, err := data.OpenOrSample(ctx, "cifar100", data.Options{Dir: dir})
//	loader, err := data.NewLoader(split.Train, data.LoaderConfig{Batch: 128, Seed: 1, Shuffle: true})
//	it := loader.Epoch(0, 0)
//	defer it.Close()
//	for it.Next(ctx) {
//		b := it.Batch() // b.Images: b.N×32×32×3 float32, b.Labels: b.N class numbers
//	}
//	if err := it.Err(); err != nil { … }
//
// Open looks in the folder the caller names, then in the user's cache folder, then downloads from the authors' site.
// Every file read is checked for size, labels and digest; what is wrong is reported as a *FormatError or a
// *DigestError with file, offset, expected and found. A batch stream is a function of (seed, epoch) and nothing else:
// the number of workers does not change one bit of it, and it can be taken up again at any batch.
package data
