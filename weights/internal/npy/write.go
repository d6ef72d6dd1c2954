package npy

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/weights"
)

// Check says why a tensor cannot be written, or nil.
func Check(t *weights.Tensor) error {
	if _, err := descr(t.TypeName()); err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return nil
}

// Write writes t as a file of version 1, row-major and little-endian, as numpy.save does.
func Write(w io.Writer, t *weights.Tensor) error {
	d, err := descr(t.TypeName())
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	sizes := make([]string, len(t.Shape))
	for i, n := range t.Shape {
		sizes[i] = strconv.Itoa(n)
	}
	shape := strings.Join(sizes, ", ")
	if len(sizes) == 1 {
		shape += ","
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", d, shape)
	// The data begin at a multiple of 64 bytes, and the header ends with a newline.
	const lead = len(magic) + 4
	text += strings.Repeat(" ", 63-(lead+len(text))%64) + "\n"
	if len(text) > 1<<16-1 {
		return fmt.Errorf("tensor %q has too many axes", t.Name)
	}
	head := append([]byte(magic), 1, 0)
	head = append(binary.LittleEndian.AppendUint16(head, uint16(len(text))), text...)
	if n, err := w.Write(head); err != nil {
		return err
	} else if n < len(head) {
		return io.ErrShortWrite
	}
	return t.WriteData(w)
}
