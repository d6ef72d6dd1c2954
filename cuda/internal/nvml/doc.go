// Package nvml asks NVIDIA's management library, which comes with the driver, what a GPU draws. It is loaded at run time. Without the tag gpu
// the package is empty.
package nvml
