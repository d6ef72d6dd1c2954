package torch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/internal/pickle"
	"github.com/stheno-ml/stheno/weights/internal/zipfile"
)

// File is what a file of torch.save holds.
type File struct {
	// Tensors stand in the order of the file. Tensors that shared a storage may share their Data.
	Tensors []weights.Tensor
	// Values are the numbers and texts beside them, such as "epoch", on the first level of the file.
	Values map[string]any
}

// Strip returns the tensors whose names begin with prefix, such as "state_dict." or "module.", under their names without it.
func Strip(tensors []weights.Tensor, prefix string) []weights.Tensor {
	var out []weights.Tensor
	for _, t := range tensors {
		if name, ok := strings.CutPrefix(t.Name, prefix); ok {
			t.Name = name
			out = append(out, t)
		}
	}
	return out
}

// Error says why a file cannot be read.
type Error struct {
	Path   string // the file; "" when the bytes came from a reader
	Reason string
	Remedy string // what to do, or ""
	Err    error  // the cause, or nil
}

// Error is one line, and a second one with the remedy.
func (e *Error) Error() string {
	s := "torch: " + e.Path
	if e.Path == "" {
		s = "torch: the file"
	}
	s += ": " + e.Reason
	if e.Remedy != "" {
		s += "\n    " + e.Remedy
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// GlobalError says that a file names a function or class that is not on the list of what may be used. Nothing of it was run.
type GlobalError = pickle.GlobalError

func fail(remedy, format string, args ...any) error {
	return &Error{Reason: fmt.Sprintf(format, args...), Remedy: remedy}
}

// explain makes an error of the packages below one that says what to do.
func explain(err error) error {
	if _, own := errors.AsType[*Error](err); own {
		return err
	}
	e := &Error{Reason: err.Error(), Err: err}
	if g, ok := errors.AsType[*pickle.GlobalError](err); ok {
		e.Remedy = "in Python, load it with code you trust and save what is wanted alone: torch.save(model.state_dict(), …)"
		if g.Name == "torch.storage._load_from_bytes" {
			e.Remedy = "the tensors were saved by pickle, not by torch.save: each is a file in the file; in Python, load it with code you trust and use torch.save"
		}
		return e
	}
	if p, ok := errors.AsType[*pickle.Error](err); ok {
		e.Reason = fmt.Sprintf("byte %d: expected %s, found %s", p.Offset, p.Expected, p.Found)
		e.Remedy = "it is damaged, cut short, or was not made by torch.save"
	}
	return e
}

// Read reads a whole file of torch.save. Errors are *[Error], which wraps a *[GlobalError] where the file names what is not
// on the list; or the system's for a file that cannot be opened.
func Read(path string) (*File, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("torch: %w", err)
	}
	defer in.Close() // read only
	info, err := in.Stat()
	if err != nil {
		return nil, fmt.Errorf("torch: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{Path: path, Reason: "is not a regular file"}
	}
	f, err := Decode(in, info.Size())
	if e, ok := errors.AsType[*Error](err); ok {
		e.Path = path
	}
	return f, err
}

// Is says whether a file that begins so, and has size bytes, may be one of torch.save: a zip archive, or a pickle of protocol 2 or later.
func Is(head []byte) bool {
	return zipfile.Is(head) || len(head) > 1 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5
}

// tarMark stands at byte 257 of a tar archive.
const tarMark = "ustar"

// Decode reads a file of size bytes, like [Read]. The memory it takes is bounded by a small multiple of size, or of what a compressed
// archive can be expected to unpack to.
func Decode(r io.ReaderAt, size int64) (*File, error) {
	head := make([]byte, 300)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, &Error{Reason: err.Error(), Err: err}
	}
	head = head[:n]
	d := &decoder{r: r, size: size, budget: 4*size + 1<<20, storages: map[string]*storage{}}
	var root any
	switch {
	case n == 0:
		return nil, fail("", "is empty")
	case zipfile.Is(head):
		root, err = d.zip()
	case n > 257+len(tarMark) && string(head[257:257+len(tarMark)]) == tarMark:
		return nil, fail("load it with a PyTorch that reads it, and save it again", "is a tar archive, the form of PyTorch before 0.1.10")
	default:
		root, err = d.legacy()
	}
	if err != nil {
		return nil, explain(err)
	}
	f, err := d.collect(root)
	if err != nil {
		return nil, explain(err)
	}
	return f, nil
}

// decoder is one file while it is read.
type decoder struct {
	r        io.ReaderAt
	size     int64
	budget   int64 // bytes that may still be copied beyond reading each storage once
	storages map[string]*storage
	load     func(s *storage, dtype string) (weights.Tensor, error) // reads the elements of a storage
}

// spend counts bytes against the budget.
func (d *decoder) spend(what string, n int64) error {
	if d.budget -= n; d.budget < 0 {
		return fail("", "%s: its tensors would take many times the file's size: they show the same bytes again and again", what)
	}
	return nil
}
