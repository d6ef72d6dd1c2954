// Package kernels holds the CUDA C++ sources of the engine's own kernels. They are compiled at run time by NVRTC, once
// for every element type that a program uses; stheno.cuh comes before each of them.
package kernels

import "embed"

// Files are the sources: stheno.cuh and *.cu.
//
//go:embed *.cu *.cuh
var Files embed.FS
