// Package nvrtc compiles CUDA C++ while the program runs, with NVIDIA's NVRTC, which is looked for and loaded at run time.
// Without the tag gpu it only knows what to compile for.
package nvrtc

import "fmt"

// ArchFor is the option of Compile for a GPU of a compute capability, given those that NVRTC knows (90 is 9.0). It asks for
// machine code for that very GPU if NVRTC can write it: any driver that runs the GPU loads that, even one older than NVRTC. Else
// it asks for PTX for the newest capability below, which the driver compiles. It is "" if NVRTC knows only newer GPUs.
func ArchFor(major, minor int, supported []int) (option string, cubin bool) {
	want, best := 10*major+minor, 0
	for _, a := range supported {
		if a <= want {
			best = max(best, a)
		}
	}
	switch best {
	case 0:
		return "", false
	case want:
		return fmt.Sprintf("--gpu-architecture=sm_%d", best), true
	}
	return fmt.Sprintf("--gpu-architecture=compute_%d", best), false
}
