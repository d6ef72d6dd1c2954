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
// The batch that is verified is the batch that is timed, in its size and so in its plan and kernels, with one exception: training with
// batches of 1 to 5 images is verified with a batch of 8, as batch norm over so few amplifies rounding. What is timed then is a plan of its
// own, which was not compared; reports say "verified at batch 8" beside such a result. The batch is dealt from a few different images,
// each of them equally often, in an order of chance: loss, gradients and statistics are then those of the few images, which the
// reference can afford to compute.
//
// A case whose results are not the reference's is a [*MismatchError], and is not timed.
//
// # Time
//
// A case is warmed up and then runs for some rounds; its rate is the median of theirs. Training is timed from the batch in the host's
// memory to the loss, inference from one RunAll to its end. GFLOP/s are nominal: what graph.CostOf counts by the meaning of the
// operations, also where a kernel needs fewer.
//
// # Devices
//
// Cases name their device, and Config.Open opens its engine, so any engine that is registered with package graph can be measured. What an
// engine could do at best, Config.Ceiling tells; the CPU's is measured.
package bench
