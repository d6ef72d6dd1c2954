package onnx

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// readExternal reads size bytes of a file beside the model. The file must lie in the model's folder, or below it, symbolic links
// followed: a model from elsewhere must not read what it likes.
func (t *tensorProto) readExternal(folder string, size int64) ([]byte, error) {
	var location string
	var offset, length int64 = 0, -1
	for _, e := range t.external {
		var err error
		switch e.key {
		case "location":
			location = e.value
		case "offset":
			offset, err = strconv.ParseInt(e.value, 10, 64)
		case "length":
			length, err = strconv.ParseInt(e.value, 10, 64)
		}
		if err != nil {
			return nil, t.bad("a number of bytes", "external %s %q", e.key, e.value)
		}
	}
	switch {
	case folder == "":
		return nil, t.bad("the data in the model", "external data %q, and no folder is known; read the model from its file", location)
	case location == "" || !filepath.IsLocal(filepath.FromSlash(location)):
		return nil, t.bad("external data in the model's folder", "location %q", location)
	case offset < 0 || length >= 0 && length != size:
		return nil, t.bad(fmt.Sprintf("%d bytes of external data", size), "offset %d and length %d", offset, length)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	defer root.Close()
	if info, err := root.Stat(filepath.FromSlash(location)); err == nil && !info.Mode().IsRegular() { // opening a pipe would wait
		return nil, t.bad("external data in a regular file", "location %q", location)
	}
	f, err := root.Open(filepath.FromSlash(location))
	if err != nil {
		return nil, fmt.Errorf("onnx: external data of tensor %q: %w", t.name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("onnx: external data of tensor %q: %w", t.name, err)
	case !info.Mode().IsRegular():
		return nil, t.bad("external data in a regular file", "location %q", location)
	case offset > info.Size() || size > info.Size()-offset:
		return nil, t.bad(fmt.Sprintf("%d bytes of external data at byte %d", size, offset), "%q of %d bytes", location, info.Size())
	}
	if t.limits != nil { // tensors lie side by side; a few that share their bytes are let pass
		if t.limits.external[location] += size; t.limits.external[location] > 4*info.Size()+1<<20 {
			return nil, t.bad("external tensors that lie side by side", "%d bytes of %q, of %d bytes: they show the same bytes again and again",
				t.limits.external[location], location, info.Size())
		}
	}
	raw := make([]byte, size)
	if _, err := f.ReadAt(raw, offset); err != nil {
		return nil, fmt.Errorf("onnx: external data of tensor %q: %w", t.name, err)
	}
	return raw, nil
}
