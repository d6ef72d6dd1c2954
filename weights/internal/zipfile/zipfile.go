// Package zipfile opens zip archives of unknown origin: what they unpack to is bounded before anything is read, and names
// that lead out of the archive are refused.
package zipfile

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

const (
	// maxRatio bounds what an entry may unpack to, as a multiple of its size: DEFLATE's own limit is 1,032, what
	// weights compress to is a few.
	maxRatio = 1100
	// totalRatio and totalSlack bound what all entries together may unpack to, as a multiple of the archive's size.
	totalRatio = 200
	totalSlack = 64 << 20
	// maxEntries bounds the directory; a model has a few entries a tensor.
	maxEntries = 1 << 20
)

// Error says that an archive is damaged, or that it is not safe to unpack.
type Error struct {
	Entry  string // name of the entry, "" where it is the archive
	Reason string
	Err    error // the cause, or nil
}

// Error is one line.
func (e *Error) Error() string {
	s := "zip archive"
	if e.Entry != "" {
		s += fmt.Sprintf(", entry %q", e.Entry)
	}
	s += ": " + e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Archive is an opened archive. Its entries have plausible sizes, and names that are unique and stay inside.
type Archive struct {
	Files  []*zip.File // entries, folders left out
	byName map[string]*zip.File
}

// Is says whether data that begin so are a zip archive.
func Is(head []byte) bool {
	return strings.HasPrefix(string(head), "PK\x03\x04") || strings.HasPrefix(string(head), "PK\x05\x06")
}

// Open reads and checks the directory of the archive r of size bytes.
func Open(r io.ReaderAt, size int64) (*Archive, error) {
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are looked at below
		return nil, &Error{Reason: "cannot be read (damaged or cut short?)", Err: err}
	}
	if len(z.File) > maxEntries {
		return nil, &Error{Reason: fmt.Sprintf("has %d entries, more than %d", len(z.File), maxEntries)}
	}
	a := &Archive{byName: map[string]*zip.File{}}
	unpacked := uint64(0)
	for _, f := range z.File {
		if bad := BadName(f.Name); bad != "" {
			return nil, &Error{Entry: clip(f.Name), Reason: bad}
		}
		if a.byName[f.Name] != nil {
			return nil, &Error{Entry: clip(f.Name), Reason: "is there twice"}
		}
		a.byName[f.Name] = f
		switch {
		case f.Method != zip.Store && f.Method != zip.Deflate:
			return nil, &Error{Entry: clip(f.Name), Reason: fmt.Sprintf("is packed by method %d; only stored and deflated entries are read", f.Method)}
		case f.Flags&1 != 0:
			return nil, &Error{Entry: clip(f.Name), Reason: "is encrypted"}
		case f.Method == zip.Store && f.CompressedSize64 != f.UncompressedSize64:
			return nil, &Error{Entry: clip(f.Name), Reason: fmt.Sprintf("is stored in %d bytes but said to have %d", f.CompressedSize64, f.UncompressedSize64)}
		case f.CompressedSize64 > uint64(size):
			return nil, &Error{Entry: clip(f.Name), Reason: fmt.Sprintf("is said to have %d bytes in an archive of %d", f.CompressedSize64, size)}
		case f.UncompressedSize64/maxRatio > f.CompressedSize64:
			return nil, &Error{Entry: clip(f.Name), Reason: fmt.Sprintf("is said to unpack from %d bytes to %d", f.CompressedSize64, f.UncompressedSize64)}
		}
		// The sum cannot overflow: sizes are bounded above, and so is their number.
		unpacked += f.UncompressedSize64
		if !f.FileInfo().IsDir() {
			a.Files = append(a.Files, f)
		}
	}
	if err := a.apart(); err != nil {
		return nil, err
	}
	if limit := totalRatio*uint64(size) + totalSlack; unpacked > limit {
		return nil, &Error{Reason: fmt.Sprintf("would unpack from %d bytes to %d, more than the %d that are plausible; write it without compression if it is not hostile",
			size, unpacked, limit)}
	}
	return a, nil
}

// apart checks that no two entries share bytes of the archive, by which a small one could unpack to a very large one.
func (a *Archive) apart() error {
	type span struct {
		from, to int64
		name     string
	}
	spans := make([]span, 0, len(a.Files))
	for _, f := range a.Files {
		from, err := f.DataOffset()
		if err != nil {
			return Check(f, err)
		}
		spans = append(spans, span{from, from + int64(f.CompressedSize64), f.Name})
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for i := range spans[min(1, len(spans)):] {
		if before, here := spans[i], spans[i+1]; here.from < before.to {
			return &Error{Entry: clip(here.name), Reason: fmt.Sprintf("overlaps the entry %q", clip(before.name))}
		}
	}
	return nil
}

// Lookup finds an entry; nil when there is none.
func (a *Archive) Lookup(name string) *zip.File {
	if f := a.byName[name]; f != nil && !f.FileInfo().IsDir() {
		return f
	}
	return nil
}

// Read opens an entry. It ends with an error where the content is not as long as the directory says, or its checksum is
// wrong; wrap what it returns with Check.
func (a *Archive) Read(f *zip.File) (io.ReadCloser, error) {
	in, err := f.Open()
	if err != nil {
		return nil, Check(f, err)
	}
	return in, nil
}

// Check makes an error that came of reading an entry one that names it.
func Check(f *zip.File, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, zip.ErrChecksum):
		return &Error{Entry: clip(f.Name), Reason: "is damaged: its checksum (CRC-32) is not that of its content"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Entry: clip(f.Name), Reason: fmt.Sprintf("ends before the %d bytes it is said to have", f.UncompressedSize64)}
	}
	return &Error{Entry: clip(f.Name), Reason: "is damaged", Err: err}
}

// BadName says what is wrong with the name of an entry, or "". Nothing is ever written under these names; but they become
// names of tensors, and somebody may write those to files.
func BadName(name string) string {
	switch {
	case name == "":
		return "has no name"
	case strings.ContainsAny(name, "\\\x00"):
		return "has a backslash or a zero byte in its name"
	case strings.HasPrefix(name, "/") || len(name) > 1 && name[1] == ':':
		return "has an absolute path as its name"
	}
	for _, part := range strings.Split(strings.TrimSuffix(name, "/"), "/") {
		if part == ".." {
			return "has a name that leads out of the archive"
		}
	}
	if path.Clean(name) == "." {
		return "has no name"
	}
	return ""
}

func clip(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return s
}
