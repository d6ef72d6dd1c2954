package tensorboard

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Resume goes on in a folder after what keep says is valid, in a new file. A program that was killed and goes on from an earlier state does
// some steps a second time: keep returns false for the tags and steps that come again. If there are such, all that stays is put into the new
// file, and the others are removed; a TensorBoard that runs meanwhile forgets what it had read. A file that ends within a record was cut short,
// which is as if the record were not there; other damage is a *[FormatError], and all files stay.
func Resume(dir string, keep func(tag string, step int64) bool) (*Writer, error) {
	return resume(dir, keep, time.Now)
}

func resume(dir string, keep func(tag string, step int64) bool, now func() time.Time) (*Writer, error) {
	others, err := Files(dir)
	if err != nil {
		return nil, err
	}
	hidden := filepath.Join(dir, ".resumed.stheno-tmp")
	_ = os.Remove(hidden) // of a program that was killed below
	if len(others) == 0 {
		return newWriter(dir, now)
	}
	began, stale := false, false
	err = eachEvent(others, func(_ []byte, e told) error {
		began, stale = began || e.started, stale || !e.kept(keep)
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case !stale && !began: // killed before it said so, or another program's
		return newWriter(dir, now)
	case !stale:
		return create(dir, now)
	}
	// It gets the name of an event file when it is complete: TensorBoard reads files while they are written.
	w := &Writer{now: now, path: hidden}
	if w.file, err = os.OpenFile(w.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644); err != nil {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	err = w.write(firstEvent(now()))
	if err == nil {
		err = w.write(startEvent(now(), 0)) // what was told of step 0 and later is not valid; what is follows
	}
	if err == nil {
		err = eachEvent(others, func(data []byte, e told) error {
			if len(e.values) == 0 || !e.kept(keep) {
				return nil
			}
			return w.write(data)
		})
	}
	if err != nil {
		return nil, w.abandon(err)
	}
	if err := w.publish(filepath.Join(dir, fileName(nextSecond(others, now())))); err != nil {
		return nil, w.abandon(err)
	}
	for _, old := range others {
		_ = os.Remove(old) // what stays is harmless: the new file says that it is not valid
	}
	return w, nil
}

// publish gives the file its name. Some systems do not rename files that are open.
func (w *Writer) publish(path string) error {
	if err := w.Close(); err != nil {
		return err
	}
	if err := os.Rename(w.path, path); err != nil {
		return fmt.Errorf("tensorboard: %w", err)
	}
	w.path = path
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("tensorboard: %w", err)
	}
	w.file = file
	return nil
}

// kept holds unless one of the tags is not to be kept.
func (e told) kept(keep func(tag string, step int64) bool) bool {
	for _, v := range e.values {
		if !keep(v.tag, e.step) {
			return false
		}
	}
	return true
}

// eachEvent visits the events of files in their order.
func eachEvent(paths []string, visit func(data []byte, e told) error) error {
	for _, path := range paths {
		if err := eachEventOf(path, visit); err != nil {
			return err
		}
	}
	return nil
}

func eachEventOf(path string, visit func(data []byte, e told) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("tensorboard: %w", err)
	}
	defer file.Close() // read only
	r := reader{path: path, in: bufio.NewReaderSize(file, 1<<16)}
	for {
		at := r.at
		data, err := r.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		e, ok := readEvent(data)
		if !ok {
			return &FormatError{path, at + 12, "an event", "something else"}
		}
		if err := visit(data, e); err != nil {
			return err
		}
	}
}
