// Package weights stores tensors in files: the safetensors container, and on
// top of it the checkpoints of a training run.
//
// Three layers, each usable alone:
//
//   - [ReadSafetensors] and [WriteSafetensors] exchange tensors with every other
//     program that speaks the safetensors format (Python, Rust, JavaScript …);
//   - [SaveCheckpoint] and [LoadCheckpoint] put weights, optimizer state and the
//     state of a run into one such file, under a digest of the whole file;
//   - [Keeper] rotates checkpoints in a folder, and [Latest] finds the newest one
//     that is sound after a crash.
//
// A file that is wrong is answered with a [*FormatError] or a [*CorruptError]
// that names the file, the place and the reason; nothing here panics on bad
// input or allocates more memory than the file's size accounts for.
package weights
