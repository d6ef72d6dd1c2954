//go:build gpu && cgo && linux

package cuda

// Built says whether this program has the CUDA engine.
const Built = true
