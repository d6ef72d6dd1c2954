package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/stheno-ml/stheno/internal/atomicfile"
	"github.com/stheno-ml/stheno/internal/suggest"
)

// jsonFileMax bounds what ReadJSON takes into memory; a run.json has a few kB.
const jsonFileMax = 16 << 20

// WriteJSON writes v to path as indented JSON, atomically. A value that JSON does
// not have (NaN, a channel) is an error and leaves the file as it was.
func WriteJSON(path string, v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("train: %s cannot be written: %w", path, err)
	}
	err := atomicfile.WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(text.Bytes())
		return err
	})
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// JSONError says that a JSON file does not hold what it should, and where.
type JSONError struct {
	Path         string
	Line, Column int // counted from 1; column in bytes. 0 where no place is known
	Reason       string
}

// Error is one line with the place and the reason.
func (e *JSONError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("train: %s: %s", e.Path, e.Reason)
	}
	return fmt.Sprintf("train: %s:%d:%d: %s", e.Path, e.Line, e.Column, e.Reason)
}

// ReadJSON reads the JSON file at path into a T, strictly: unknown fields, values
// of another type, and anything after the value are a *JSONError. A file that
// cannot be read gives the system's error.
func ReadJSON[T any](path string) (T, error) {
	var v, none T
	file, err := os.Open(path)
	if err != nil {
		return none, fmt.Errorf("train: %w", err)
	}
	defer file.Close() // read only
	text, err := io.ReadAll(io.LimitReader(file, jsonFileMax+1))
	if err != nil {
		return none, fmt.Errorf("train: %w", err)
	}
	fail := func(at int64, reason string) (T, error) {
		before := text[:min(max(at, 0), int64(len(text)))]
		line := bytes.Count(before, []byte("\n")) + 1
		return none, &JSONError{path, line, len(before) - bytes.LastIndexByte(before, '\n'), reason}
	}
	if len(text) > jsonFileMax {
		return none, &JSONError{Path: path, Reason: fmt.Sprintf("expected a file of at most %d bytes, found a longer one", jsonFileMax)}
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return fail(int64(len(text)), "the file ends within the JSON value: it is incomplete")
		}
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return fail(syntax.Offset-1, syntax.Error())
		}
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return fail(wrong.Offset-1, fmt.Sprintf("expected %s for %q, found %s", wrong.Type, wrong.Field, wrong.Value))
		}
		reason := strings.TrimPrefix(err.Error(), "json: ")
		if name, ok := strings.CutPrefix(reason, "unknown field "); ok {
			reason += suggest.Phrase(strings.Trim(name, `"`), fieldNames(reflect.TypeFor[T]())) + " (written by another version of stheno?)"
		}
		return none, &JSONError{Path: path, Reason: reason}
	}
	rest := text[dec.InputOffset():]
	if junk := bytes.TrimLeft(rest, " \t\r\n"); len(junk) > 0 {
		return fail(int64(len(text)-len(junk)), "expected the end of the file after the JSON value, found more")
	}
	return v, nil
}

// fieldNames are the JSON names of a struct's fields, for suggestions.
func fieldNames(t reflect.Type) []string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var out []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		if f.IsExported() && name != "-" {
			out = append(out, name)
		}
	}
	return out
}
