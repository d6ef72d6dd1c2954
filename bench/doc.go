// Package bench measures training steps and inference of the project's networks, after it has checked that their results are right.
//
// A [Case] is a network, a batch size, a mode and a device; a [Matrix] makes many of them. [Run] verifies and times them and returns a
// [Report], which prints itself as a table, is JSON, and draws a roofline plot:
//
//	cases, err := bench.Matrix{Archs: []string{"resnet50"}, Batches: []int{1, 64}}.Cases()
//	report, err := bench.Run(ctx, bench.Config{Cases: cases})
//	fmt.Print(report.Table())
//
// # Verification
//
// The reference is a graph of the same network in float64, differentiated by Gorgonia, compiled without passes, and run by an engine of
// this package's own (internal/reference): products of package gonum, plain loops for the rest. It has no code in common with the kernels,
// fusions and memory plans that are timed. A training step is compared in its loss, the gradients of all weights, the update of each
// element of the weights, and the running averages; inference in the scores of every image of the batch.
//
// The batch that is verified is the batch that is timed, in its size and so in its plan and kernels, with two exceptions: training with
// batches of 1 to 5 images is verified with a batch of 8, as batch norm over so few amplifies rounding, and that of networks that drop some of
// their own at random with at most 8, as no two places of a batch then are alike. What is timed then is a plan of its
// own, which was not compared; reports say "verified at batch 8" beside such a result. The batch is dealt from a few different images,
// each of them equally often, in an order of chance: loss, gradients and statistics are then those of the few images, which the
// reference can afford to compute.
//
// A case whose results are not the reference's is a [*MismatchError], and is not timed.
//
// # Time
//
// A case is warmed up and then runs for some rounds; its rate is the median of theirs. On the CPU, training is timed from the batch in the
// host's memory to the loss, inference from one RunAll to its end. GFLOP/s are nominal: what graph.CostOf counts by the meaning of the
// operations, also where a kernel needs fewer.
//
// # Devices
//
// Cases name their device, and Config.Open opens its engine, so any engine that is registered with package graph can be measured. An engine
// may tell more: what its device does at best ([Measurer]; the CPU's is measured here), what it draws ([Metered]), what it holds of a memory
// of its own ([Holder]), and that this memory was used up ([OutOfMemory]).
//
// Other devices than the CPU are fed as training and evaluation feed them: with images as bytes, of which the device makes numbers
// (op.Augment), for the next step while one is computed. Inference ends with the scores in the host's memory. They are verified with the
// results of the CPU engine in float32, which takes a fraction of the reference's time and is itself verified with the reference, and on the
// very program that is timed: in batches of 8, 16, … dealt from eight images, else, in training, with a batch of 8 beside it. Their results
// stand beside the CPU's fastest for the same network, images and mode.
//
// # JSON
//
// A [Report] is an object with a machine and a list of cases; each [Result] has, among others, "arch", "size", "batch", "mode" ("train" or
// "inference"), "device", "precision" ("fp32", "tf32", "bf16"), "images_per_second" (the median), "rates" (of all rounds), "spread", "gflops",
// "peak_share", "bytes_per_second", "bandwidth_share" (shares from 0 to 1), "peak_memory_bytes" (of the host), "device_memory_bytes",
// "joules_per_image", "speedup", "speedup_over" (the CPU's case) and "verified". What is not known is missing. Cases that were not timed are in
// "left_out", with the reason in "why".
package bench
