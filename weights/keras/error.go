package keras

import (
	"fmt"
	"strings"
)

// Error says why a file or a configuration cannot be used. Damage within an HDF5 file is a
// *weights.FormatError, weights that do not belong to a model are a *weights.MismatchError inside an Error.
type Error struct {
	Path    string // the file; "" for a configuration that came by itself
	Layer   string // the layer's name, or the model's
	Class   string // its class in Keras
	Problem string // what happened and what was expected
	Remedy  string // what to do, or ""
	Err     error  // the error underneath, or nil
}

// Error is one line, and a second one with the remedy.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("keras: ")
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	if e.Class != "" {
		fmt.Fprintf(&b, "%s %q: ", e.Class, e.Layer)
	}
	b.WriteString(e.Problem)
	if e.Remedy != "" {
		b.WriteString("\n    " + e.Remedy)
	}
	return b.String()
}

// Unwrap returns the error underneath.
func (e *Error) Unwrap() error { return e.Err }

// wrong makes an error whose layer the caller fills in.
func wrong(remedy, format string, args ...any) *Error {
	return &Error{Problem: fmt.Sprintf(format, args...), Remedy: remedy}
}
