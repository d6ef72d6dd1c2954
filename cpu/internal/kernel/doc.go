// Package kernel holds the kernels of the CPU engine: everything between a step of a plan and the matrix product below
// it. They are written once for float32 and float64, [Float]; their assembly is generated for both.
//
// A kernel is prepared once, with all its shapes, by a New function that refuses shapes it cannot compute. It is then
// run any number of times on slices of those shapes. Run allocates nothing, does not fail, and may be handed dirty
// memory: it never reads an output or the scratch before writing it. Results must not overlap inputs but where Run says
// that they may take an input's memory. A slice that is too short is a mistake of the engine and panics; a longer one is
// used as far as the shape goes. A kernel runs once at a time, as its pool does. It does not forget the slices of its last run: they
// are the memory of the program that it belongs to, which both lose together.
//
// Kernels that need working memory tell how much with Workspace, in elements, and take it once with
// SetScratch. Kernels that run one after the other may share one slice, so a program needs only the largest of them.
//
// Channels last (NHWC) is the fast layout. Convolutions and poolings in NCHW transpose into their scratch and back; kernels
// over channels work in place, run by run of a channel's elements, in plain Go.
//
// Sums are split into blocks by shape alone and added in a fixed order: the same inputs give the same bits, whatever
// the number of workers and whichever of them computes which block. This holds for the matrix product of package gemm,
// too: the workers change who computes an element, not in which order its products are added. Instruction-set levels
// differ in rounding.
package kernel
