package keras

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/stheno-ml/stheno/weights/internal/zipfile"
)

// maxConfig bounds the texts of an archive; those of the largest models have a few megabytes.
const maxConfig = 256 << 20

// archive reads a .keras file: a zip archive of metadata.json, config.json and model.weights.h5.
func (f *File) archive(r io.ReaderAt, size int64) error {
	a, err := zipfile.Open(r, size)
	if err != nil {
		return asError(err)
	}
	config := a.Lookup("config.json")
	if config == nil {
		return wrong("open a file that model.save wrote", "is a zip archive without config.json")
	}
	if f.Config, err = readText(a, config); err != nil {
		return err
	}
	var parts struct {
		Compile json.RawMessage `json:"compile_config"`
	}
	if err := json.Unmarshal(f.Config, &parts); err != nil {
		return &Error{Problem: fmt.Sprintf("config.json is not valid: %v", err), Err: err}
	}
	if text := string(parts.Compile); text != "{}" && text != "null" { // as of a model that was not compiled
		f.Training = parts.Compile
	}
	if entry := a.Lookup("metadata.json"); entry != nil {
		text, err := readText(a, entry)
		if err != nil {
			return err
		}
		var metadata struct {
			Version string `json:"keras_version"`
		}
		if err := json.Unmarshal(text, &metadata); err != nil {
			return &Error{Problem: fmt.Sprintf("metadata.json is not valid: %v", err), Err: err}
		}
		f.Version = metadata.Version
	}
	entry := a.Lookup("model.weights.h5")
	if entry == nil {
		remedy := "save it with model.save"
		if a.Lookup("model.weights.npz") != nil {
			remedy = "it has model.weights.npz instead; " + remedy
		}
		return wrong(remedy, "is an archive without model.weights.h5")
	}
	return f.packed(r, a, entry)
}

// packed reads the weights of an archive: in place where they are stored, as Keras does it, and in memory where they are
// packed.
func (f *File) packed(r io.ReaderAt, a *zipfile.Archive, entry *zip.File) error {
	name := f.Path + ": " + entry.Name
	if entry.Method == zip.Store {
		at, err := entry.DataOffset()
		if err != nil {
			return asError(zipfile.Check(entry, err))
		}
		n := int64(entry.UncompressedSize64)
		// Read once through the archive, which compares the checksum: what HDF5 stores without one may be damaged too.
		in, err := a.Read(entry)
		if err != nil {
			return asError(err)
		}
		defer in.Close() // read only
		if _, err := io.Copy(io.Discard, in); err != nil {
			return asError(zipfile.Check(entry, err))
		}
		return f.hdf5(io.NewSectionReader(r, at, n), n, name)
	}
	data, err := read(a, entry)
	if err != nil {
		return err
	}
	return f.hdf5(bytes.NewReader(data), int64(len(data)), name)
}

func readText(a *zipfile.Archive, entry *zip.File) ([]byte, error) {
	if entry.UncompressedSize64 > maxConfig {
		return nil, wrong("", "%s is said to have %d bytes, more than the %d that are plausible", entry.Name, entry.UncompressedSize64, maxConfig)
	}
	return read(a, entry)
}

// read unpacks an entry, whose size the archive's directory bounds.
func read(a *zipfile.Archive, entry *zip.File) ([]byte, error) {
	in, err := a.Read(entry)
	if err != nil {
		return nil, asError(err)
	}
	defer in.Close() // read only
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(in, int64(entry.UncompressedSize64)+1)); err != nil {
		return nil, asError(zipfile.Check(entry, err))
	}
	return b.Bytes(), nil
}

// asError makes an error of package zipfile one of ours.
func asError(err error) error {
	if z, ok := errors.AsType[*zipfile.Error](err); ok {
		return &Error{Problem: z.Error(), Remedy: "it is damaged, or not written by Keras", Err: err}
	}
	return err
}
