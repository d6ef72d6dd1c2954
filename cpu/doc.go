// Package cpu is the CPU engine: it runs plans of package graph with kernels in Go and assembly, on all cores, without
// cgo. Importing it makes the device "cpu" known to graph.Open and graph.Compile.
//
// Steps of float32 and float64 run on the kernels of internal/kernel, over the matrix product of internal/gemm and the
// worker pool of internal/pool. Operations without a kernel run on the plain references of package graph/op. Kernels get their memory at Build and allocate nothing in Run; references and host operations may.
//
// The environment variable STHENO_CPU (generic, avx2, avx512) lowers the instruction set, for tests and comparisons.
// It is read when the program starts.
package cpu
