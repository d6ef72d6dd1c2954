package weights

import "fmt"

// FormatError says that a file is not valid in its format (safetensors here, those
// of the packages below elsewhere): where, what the format asks for at that place,
// and what stands there.
type FormatError struct {
	Path     string // the file; empty when the bytes came from a reader
	Offset   int64  // byte in the file at which the rule is broken
	Expected string // what the format asks for
	Found    string // what the file holds
}

// Error is a single line that holds all four fields.
func (e *FormatError) Error() string {
	where := e.Path
	if where == "" {
		where = "safetensors"
	}
	return fmt.Sprintf("weights: %s: byte %d: expected %s, found %s", where, e.Offset, e.Expected, e.Found)
}

// CorruptError says that a file cannot be used as a checkpoint, why, and what
// can be done about it.
type CorruptError struct {
	Path   string // the file
	Reason string // what is wrong with it
	Remedy string // what the user can do
	Err    error  // the error underneath (often a *FormatError), or nil
}

// Error holds the file, the reason and the remedy.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("weights: checkpoint %s cannot be used: %s\n    %s", e.Path, e.Reason, e.Remedy)
}

// Unwrap returns the error underneath, if there is one.
func (e *CorruptError) Unwrap() error { return e.Err }
