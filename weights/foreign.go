package weights

import (
	"io"
	"os"
	"strings"
)

// foreign says whose file it is that was taken for a checkpoint, by how it begins; "" if that says nothing.
func foreign(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	begin := make([]byte, 8)
	n, _ := io.ReadFull(f, begin) // a short file is nobody's
	switch head := string(begin[:n]); {
	case head == "\x89HDF\r\n\x1a\n":
		return "an HDF5 file, such as Keras writes"
	case strings.HasPrefix(head, "PK\x03\x04"):
		return "a zip archive, such as Keras, PyTorch and NumPy write"
	case strings.HasPrefix(head, "\x80\x02") || strings.HasPrefix(head, "\x80\x04"):
		return "a pickle, such as PyTorch writes"
	case strings.HasPrefix(head, "\x08") && strings.HasSuffix(strings.ToLower(path), ".onnx"):
		return "an ONNX model"
	}
	return ""
}
