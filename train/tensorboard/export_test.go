package tensorboard

import (
	"bytes"
	"io"
)

var (
	NewWriterAt = newWriter
	ResumeAt    = resume
)

// Record is that of data.
func Record(data []byte) []byte { return appendRecord(nil, data) }

// Records are the data of the records in a file's bytes, as far as they are whole.
func Records(path string, file []byte) ([][]byte, error) {
	r := reader{path: path, in: bytes.NewReader(file)}
	var out [][]byte
	for {
		data, err := r.next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, data)
	}
}
