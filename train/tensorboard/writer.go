package tensorboard

import (
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Writer writes an event file. Every call puts what it is told into the file before it returns, so a program that is killed loses
// nothing of it, and TensorBoard shows it while the program runs. It may be used from several goroutines.
type Writer struct {
	mu   sync.Mutex
	file *os.File // nil after Close
	path string
	size int64 // of whole records
	now  func() time.Time
}

// NewWriter begins an event file in a folder, which it makes with its parents. Files that are there stay, and TensorBoard shows them
// together as one run: [Resume] goes on with them.
func NewWriter(dir string) (*Writer, error) { return newWriter(dir, time.Now) }

func newWriter(dir string, now func() time.Time) (*Writer, error) {
	w, err := create(dir, now)
	if err != nil {
		return nil, err
	}
	// Readers take the first start of a run for its beginning, and a second one for a restart.
	if err := w.write(startEvent(now(), 0)); err != nil {
		return nil, w.abandon(err)
	}
	return w, nil
}

// create begins a file that TensorBoard reads after those that are there.
func create(dir string, now func() time.Time) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	others, err := Files(dir)
	if err != nil {
		return nil, err
	}
	w := &Writer{now: now}
	for second := nextSecond(others, now()); w.file == nil; second++ { // another process may have been faster
		w.path = filepath.Join(dir, fileName(second))
		w.file, err = os.OpenFile(w.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("tensorboard: %w", err)
		}
	}
	if err := w.write(firstEvent(now())); err != nil {
		return nil, w.abandon(err)
	}
	return w, nil
}

// abandon removes the file after an error.
func (w *Writer) abandon(err error) error {
	return errors.Join(err, w.Close(), os.Remove(w.path))
}

// nextSecond is the time in the name of a file that comes after others.
func nextSecond(others []string, now time.Time) int64 {
	if n := len(others); n > 0 {
		return max(now.Unix(), secondOf(others[n-1])+1)
	}
	return now.Unix()
}

// prefix begins the names of event files. TensorBoard reads those that have it anywhere, in the order of their names.
const prefix = "events.out.tfevents."

func fileName(second int64) string {
	host, err := os.Hostname()
	if err != nil || strings.ContainsAny(host, `/\`) {
		host = "localhost"
	}
	return fmt.Sprintf("%s%010d.%s.%d.v2", prefix, second, host, os.Getpid())
}

// secondOf is the time in a file's name, 0 if it has none.
func secondOf(path string) int64 {
	text, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), prefix), ".")
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// Files are the paths of the event files in a folder, in the order in which they were begun; none where there is no such folder.
func Files(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tensorboard: %w", err)
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && !e.IsDir() {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(out)
	return out, nil
}

// Path is that of the file.
func (w *Writer) Path() string { return w.path }

// Scalar tells the value of a tag at a step, such as an epoch: a point of a curve. It is kept as a float32, as TensorFlow's are.
func (w *Writer) Scalar(tag string, value float64, step int) error {
	return w.tell(tag, step, scalars, floatTensor(float32(value)))
}

// Histogram tells how values, such as those of a weight, are distributed. All must be finite.
func (w *Writer) Histogram(tag string, values []float32, step int) error {
	rows, err := histogram(values)
	if err != nil {
		return fmt.Errorf("tensorboard: %s: %w", tag, err)
	}
	return w.tell(tag, step, histograms, doubleTensor(rows))
}

// Text tells a text, which TensorBoard shows as Markdown.
func (w *Writer) Text(tag, markdown string, step int) error {
	return w.tell(tag, step, texts, stringTensor(false, []byte(markdown)))
}

// Image tells an image.
func (w *Writer) Image(tag string, m image.Image, step int) error {
	t, err := imageTensor(m)
	if err != nil {
		return fmt.Errorf("tensorboard: %s: %w", tag, err)
	}
	return w.tell(tag, step, images, t)
}

func (w *Writer) tell(tag string, step int, plugin string, tensor []byte) error {
	if tag == "" {
		return errors.New("tensorboard: the tag is empty; give what is told a name, such as \"loss\"")
	}
	return w.write(summaryEvent(w.now(), int64(step), tag, plugin, tensor))
}

// write appends a record. One that the disk has no room for is taken back, so that the file stays sound.
func (w *Writer) write(data []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return fmt.Errorf("tensorboard: %s is closed; NewWriter or Resume begins another file", w.path)
	}
	record := appendRecord(nil, data)
	if _, err := w.file.WriteAt(record, w.size); err != nil {
		return errors.Join(fmt.Errorf("tensorboard: %w", err), w.file.Truncate(w.size))
	}
	w.size += int64(len(record))
	return nil
}

// Close flushes the file to the disk. Closing again does nothing.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	err := errors.Join(w.file.Sync(), w.file.Close())
	w.file = nil
	if err != nil {
		return fmt.Errorf("tensorboard: %w", err)
	}
	return nil
}
