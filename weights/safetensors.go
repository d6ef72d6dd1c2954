package weights

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stheno-ml/stheno/internal/atomicfile"
)

// Tensor is a named array, row-major.
type Tensor struct {
	Name string
	// DType is the type's name in the format: "F32", "F64", "I64", "I32", "U8",
	// "BF16", … When writing, an empty DType means the one that Data's Go type
	// stands for.
	DType string
	// Shape holds the dims, outermost first; empty for a scalar.
	Shape []int
	// Data holds the product of Shape elements: []float32 for F32, []float64,
	// []int64, []int32, []int16, []int8, []uint64, []uint32, []uint16, []uint8
	// for the types of those names; F16 and BF16 are bits in []uint16 (see
	// Float32s), BOOL, F8_E5M2 and F8_E4M3 are bytes in []uint8.
	Data any
}

// File is the content of a safetensors file.
type File struct {
	// Metadata is the free text under "__metadata__"; nil when the file has none.
	Metadata map[string]string
	// Tensors stand in the order of their data in the file.
	Tensors []Tensor
}

// Lookup finds a tensor by name; nil when there is none.
func (f *File) Lookup(name string) *Tensor {
	for i := range f.Tensors {
		if f.Tensors[i].Name == name {
			return &f.Tensors[i]
		}
	}
	return nil
}

// ReadSafetensors reads a whole safetensors file. A file that breaks the format
// (https://huggingface.co/docs/safetensors) gives a *FormatError; one that cannot
// be opened or read gives the system's error.
func ReadSafetensors(path string) (*File, error) {
	f, _, err := readFile(path, nil)
	return f, err
}

// DecodeSafetensors reads a safetensors file of size bytes from r, like
// ReadSafetensors. The memory it takes is bounded by a small multiple of size.
func DecodeSafetensors(r io.ReaderAt, size int64) (*File, error) {
	f, _, err := decode(r, size, nil)
	return f, err
}

// observer sees the bytes of the file behind the header, in order.
type observer func([]byte)

func readFile(path string, start func(*header) observer) (*File, *header, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("weights: %w", err)
	}
	defer in.Close() // read only: nothing is lost if closing fails
	info, err := in.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("weights: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("weights: %s is not a regular file", path)
	}
	f, h, err := decode(in, info.Size(), start)
	if format, ok := errors.AsType[*FormatError](err); ok {
		format.Path = path
	}
	return f, h, err
}

// decode reads header and tensors. start, if not nil, is called once the header
// is known and may return an observer of the tensor bytes.
func decode(r io.ReaderAt, size int64, start func(*header) observer) (*File, *header, error) {
	h, err := readHeader(r, size)
	if err != nil {
		return nil, h, err
	}
	var observe observer
	if start != nil {
		observe = start(h)
	}
	f := &File{Metadata: h.metadata, Tensors: make([]Tensor, len(h.entries))}
	for i, e := range h.entries {
		data := newData(e.dtype, e.elements)
		raw := bytesOf(data)
		if err := readFullAt(r, raw, h.dataAt+e.begin); err != nil {
			return nil, h, err
		}
		if observe != nil {
			observe(raw)
		}
		fromLittleEndian(data, hostLittleEndian)
		f.Tensors[i] = Tensor{Name: e.name, DType: e.dtype, Shape: e.shape, Data: data}
	}
	return f, h, nil
}

// WriteSafetensors writes f to path atomically: path holds either what it held
// before or the whole new file. The same f gives the same bytes, with the tensors
// in the order given. A File that the format cannot hold (a duplicate or reserved
// name, data that does not fit shape and dtype) is an error before anything is
// written.
func WriteSafetensors(path string, f *File) error {
	head, err := encodeHeader(f)
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(path, func(w io.Writer) error { return encodeBody(w, head, f) }); err != nil {
		return fmt.Errorf("weights: %w", err) // it names path
	}
	return nil
}

// EncodeSafetensors writes f to w, as WriteSafetensors does to a file.
func EncodeSafetensors(w io.Writer, f *File) error {
	head, err := encodeHeader(f)
	if err != nil {
		return err
	}
	return encodeBody(w, head, f)
}

func encodeBody(w io.Writer, head []byte, f *File) error {
	if err := writeFull(w, head); err != nil {
		return err
	}
	for i := range f.Tensors {
		if err := writeData(w, f.Tensors[i].Data, hostLittleEndian); err != nil {
			return err
		}
	}
	return nil
}

// encodeHeader checks f and returns everything in front of the data: the length
// and the JSON text, padded with spaces so that the data begins at a multiple of
// eight bytes, as the reference implementation does it.
func encodeHeader(f *File) ([]byte, error) {
	if f == nil {
		return nil, errors.New("weights: there is no file to write: it is nil")
	}
	var b strings.Builder
	b.WriteByte('{')
	if len(f.Metadata) > 0 {
		b.WriteString(quote(metadataKey) + ":{")
		for i, key := range slices.Sorted(maps.Keys(f.Metadata)) {
			if !utf8.ValidString(key) || !utf8.ValidString(f.Metadata[key]) {
				return nil, fmt.Errorf("weights: metadata %q is not UTF-8 text", key)
			}
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(quote(key) + ":" + quote(f.Metadata[key]))
		}
		b.WriteByte('}')
	}
	seen := make(map[string]bool, len(f.Tensors))
	offset := int64(0)
	for i := range f.Tensors {
		t := &f.Tensors[i]
		dtype, size, err := t.check()
		if err != nil {
			return nil, err
		}
		if seen[t.Name] {
			return nil, fmt.Errorf("weights: two tensors are called %q; names must be unique", t.Name)
		}
		seen[t.Name] = true
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		shape := strings.ReplaceAll(strings.Trim(fmt.Sprint(t.Shape), "[]"), " ", ",")
		fmt.Fprintf(&b, `%s:{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]}`, quote(t.Name), dtype, shape, offset, offset+size)
		offset += size
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len() > headerMax {
		return nil, fmt.Errorf("weights: names and metadata take %d bytes, the format allows %d", b.Len(), headerMax)
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(b.Len())), b.String()...), nil
}

// check says whether the tensor can be written, as which dtype and how many bytes.
func (t *Tensor) check() (dtype string, size int64, err error) {
	length, natural, ok := dataInfo(t.Data)
	if !ok {
		return "", 0, fmt.Errorf("weights: tensor %q holds %T, which has no dtype in the format", t.Name, t.Data)
	}
	if dtype = t.DType; dtype == "" {
		dtype = natural
	}
	width, known := dtypeSize(dtype)
	switch n, sound := elementCount(t.Shape); {
	case !known:
		return "", 0, fmt.Errorf("weights: tensor %q has dtype %q, not %s", t.Name, dtype, knownDTypes)
	case !fits(natural, dtype):
		return "", 0, fmt.Errorf("weights: tensor %q has dtype %s but holds %T", t.Name, dtype, t.Data)
	case t.Name == metadataKey || !utf8.ValidString(t.Name):
		return "", 0, fmt.Errorf("weights: %q cannot be the name of a tensor", t.Name)
	case !sound || n != length:
		return "", 0, fmt.Errorf("weights: tensor %q has shape %v but %d elements", t.Name, t.Shape, length)
	}
	return dtype, int64(length) * int64(width), nil
}

// quote is the JSON form of a string, without the escapes that only HTML needs.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return `""` // cannot happen: a string always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}
