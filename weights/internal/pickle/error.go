package pickle

import "fmt"

// Error says that a stream is no pickle that this package reads.
type Error struct {
	Offset   int64  // byte of the stream at which the instruction begins
	Expected string // what is wanted there
	Found    string // what is there
}

// Error is one line.
func (e *Error) Error() string {
	return fmt.Sprintf("pickle: byte %d: expected %s, found %s", e.Offset, e.Expected, e.Found)
}

// GlobalError says that a pickle names a function or class that is not on the list.
type GlobalError struct {
	Offset int64
	Name   string // "module.name"
}

// Error is one line.
func (e *GlobalError) Error() string {
	return fmt.Sprintf("pickle: byte %d: names %q, which is not on the list of what may be used; nothing was run", e.Offset, e.Name)
}

// clip keeps a message readable when a name from a file is absurdly long.
func clip(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return s
}
