// Package numpy reads and writes NumPy's files: .npz archives of named arrays, and .npy files of one.
//
// Arrays in either order of axes and either byte order are read; what comes out is row-major. Pickled arrays (of objects),
// texts, complex numbers and structures are not read. Archives are checked before they are unpacked: sizes that only a
// hostile file has, names that lead out of the archive, and damaged content are errors.
package numpy

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/stheno-ml/stheno/internal/atomicfile"
	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/internal/npy"
	"github.com/stheno-ml/stheno/weights/internal/zipfile"
)

// File is the content of an .npz or .npy file.
type File struct {
	// Tensors stand in the order of the file, under the names that numpy.load gives; that of a .npy file is "".
	Tensors []weights.Tensor
	// Skipped are arrays of types that tensors do not have.
	Skipped []Skipped
}

// Skipped is an array that was not read.
type Skipped struct{ Name, Reason string }

// Error says what is wrong with a file.
type Error struct {
	Path string // the file; "" when the bytes came from a reader
	Name string // the array; "" where it is the whole file
	Err  error  // a *weights.FormatError, or what reading said
}

// Error names file and array.
func (e *Error) Error() string {
	where := e.Path
	if where == "" {
		where = "NumPy file"
	}
	if e.Name != "" {
		where += fmt.Sprintf(": array %q", e.Name)
	}
	text := e.Err.Error()
	if f, ok := errors.AsType[*weights.FormatError](e.Err); ok {
		text = fmt.Sprintf("byte %d: expected %s, found %s", f.Offset, f.Expected, f.Found)
	}
	return fmt.Sprintf("numpy: %s: %s", where, text)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Read reads a whole .npz or .npy file; which one it is, the content says. Errors are *[Error], or the system's for a file that cannot
// be opened.
func Read(path string) (*File, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("numpy: %w", err)
	}
	defer in.Close() // read only
	info, err := in.Stat()
	if err != nil {
		return nil, fmt.Errorf("numpy: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{Path: path, Err: errors.New("is not a regular file")}
	}
	f, err := Decode(in, info.Size())
	if e, ok := errors.AsType[*Error](err); ok {
		e.Path = path
	}
	return f, err
}

// Decode reads an .npz or .npy file of size bytes, like [Read].
func Decode(r io.ReaderAt, size int64) (*File, error) {
	head := make([]byte, 8)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, &Error{Err: err}
	}
	switch head = head[:n]; {
	case npy.Is(head):
		t, err := npy.Read(io.NewSectionReader(r, 0, size), size, "")
		if err != nil {
			return nil, &Error{Err: err}
		}
		return &File{Tensors: []weights.Tensor{t}}, nil
	case zipfile.Is(head):
		return decodeArchive(r, size)
	}
	return nil, &Error{Err: &weights.FormatError{Expected: "an array file or a zip archive of them", Found: fmt.Sprintf("bytes %q", head)}}
}

func decodeArchive(r io.ReaderAt, size int64) (*File, error) {
	a, err := zipfile.Open(r, size)
	if err != nil {
		return nil, &Error{Err: err}
	}
	f := &File{}
	for _, entry := range a.Files {
		name, ok := strings.CutSuffix(entry.Name, ".npy")
		if !ok {
			f.Skipped = append(f.Skipped, Skipped{entry.Name, "is no .npy file"})
			continue
		}
		t, err := readEntry(a, entry, name)
		if unsupported, ok := errors.AsType[*npy.UnsupportedError](err); ok {
			f.Skipped = append(f.Skipped, Skipped{name, unsupported.Error()})
			continue
		}
		if err != nil {
			return nil, &Error{Name: name, Err: err}
		}
		f.Tensors = append(f.Tensors, t)
	}
	return f, nil
}

func readEntry(a *zipfile.Archive, entry *zip.File, name string) (weights.Tensor, error) {
	in, err := a.Read(entry)
	if err != nil {
		return weights.Tensor{}, err
	}
	defer in.Close() // read only
	t, err := npy.Read(in, int64(entry.UncompressedSize64), name)
	if err != nil {
		if _, own := errors.AsType[*weights.FormatError](err); own {
			return t, err
		}
		if _, own := errors.AsType[*npy.UnsupportedError](err); own {
			return t, err
		}
		return t, zipfile.Check(entry, err)
	}
	if _, err := in.Read(make([]byte, 1)); !errors.Is(err, io.EOF) { // where the checksum is looked at
		return t, zipfile.Check(entry, err)
	}
	return t, nil
}

// Write writes tensors to path as an uncompressed .npz archive, as numpy.savez does: atomically, and the same tensors give the
// same bytes. Names may hold slashes ("conv2d/kernel"); those that lead out of the archive, or are there twice, are
// errors, as are types that NumPy does not have (BF16 and the floats of 8 bits).
func Write(path string, tensors []weights.Tensor) error {
	if err := check(tensors); err != nil {
		return err
	}
	if err := atomicfile.WriteFile(path, func(w io.Writer) error { return encode(w, tensors) }); err != nil {
		return fmt.Errorf("numpy: %w", err) // it names path
	}
	return nil
}

// Encode writes tensors to w, as [Write] does to a file.
func Encode(w io.Writer, tensors []weights.Tensor) error {
	if err := check(tensors); err != nil {
		return err
	}
	return encode(w, tensors)
}

func check(tensors []weights.Tensor) error {
	seen := map[string]bool{}
	for i := range tensors {
		t := &tensors[i]
		if bad := zipfile.BadName(t.Name + ".npy"); bad != "" || t.Name == "" || seen[t.Name] {
			if bad == "" {
				bad = "has no name, or one that is there twice"
			}
			return fmt.Errorf("numpy: tensor %q %s", t.Name, bad)
		}
		seen[t.Name] = true
		if err := npy.Check(t); err != nil {
			return fmt.Errorf("numpy: %w", err)
		}
	}
	return nil
}

func encode(w io.Writer, tensors []weights.Tensor) error {
	z := zip.NewWriter(w)
	for i := range tensors {
		entry, err := z.CreateHeader(&zip.FileHeader{Name: tensors[i].Name + ".npy", Method: zip.Store})
		if err != nil {
			return err
		}
		if err := npy.Write(entry, &tensors[i]); err != nil {
			return err
		}
	}
	return z.Close()
}
