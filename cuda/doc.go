// Package cuda is the engine for NVIDIA GPUs, through gorgonia.org/cu, with cuDNN for convolutions, cuBLASLt for matrix
// products and its own kernels for everything else. Importing it makes "cuda" and "cuda:1" known to graph.Open.
//
// The engine itself is built with the tag gpu and cgo, on Linux ("make gpu-build"). A build without them has the same public
// names, whose functions return an error that says so. A program built with them starts on machines without a driver, where
// [Devices] and [New] say what is missing. NVRTC, cuDNN and cuBLASLt are looked for when an engine is made; see [Libraries].
package cuda
