package train

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/internal/atomicfile"
)

// HistoryRow is one epoch in history.csv. Accuracies are fractions 0…1. Numbers
// are written with every digit they need to be read back exactly.
type HistoryRow struct {
	Epoch            int   // epochs done, so the first row has 1
	Step             int64 // optimizer steps done
	Loss, Top1, Top5 float64
	ValLoss          float64 // NaN, an empty cell, when the epoch was not validated
	ValTop1, ValTop5 float64 // likewise
	ImagesPerSecond  float64 // training throughput of the epoch
	LearningRate     float64 // of the epoch's last step
}

var historyColumns = []string{"epoch", "step", "loss", "top1", "top5", "val_loss", "val_top1", "val_top5", "images_per_second", "learning_rate"}

// HistoryError says that a file is not a history.csv, and where.
type HistoryError struct {
	Path            string
	Line            int // counted from 1
	Expected, Found string
}

// Error is one line with the place, what belongs there and what is there.
func (e *HistoryError) Error() string {
	return fmt.Sprintf("train: %s:%d: expected %s, found %s", e.Path, e.Line, e.Expected, e.Found)
}

// History appends rows to a history.csv.
type History struct {
	path string
	file *os.File
	last int // epoch of the last row
}

// CreateHistory begins a new history.csv at path, with the header alone. A file
// that is there already is an error that wraps fs.ErrExist.
func CreateHistory(path string) (*History, error) {
	if err := atomicfile.WriteNew(path, func(w io.Writer) error { return writeHistory(w, nil) }); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return openHistory(path, 0)
}

// ResumeHistory continues the history.csv at path after a checkpoint at which
// epochs epochs were complete: rows of later epochs, and a last line that a crash
// cut short, are removed (atomically: the file is the old or the new one). A file
// that is not there is begun anew; one that is not a history is a *HistoryError
// and stays as it is.
func ResumeHistory(path string, epochs int) (*History, error) {
	rows, whole, err := readHistory(path)
	if errors.Is(err, fs.ErrNotExist) {
		return CreateHistory(path)
	}
	if err != nil {
		return nil, err
	}
	kept := rows
	for i, r := range rows {
		if r.Epoch > epochs {
			kept = rows[:i] // epochs ascend
			break
		}
	}
	if !whole || len(kept) < len(rows) {
		err := atomicfile.WriteFile(path, func(w io.Writer) error { return writeHistory(w, kept) })
		if err != nil {
			return nil, fmt.Errorf("train: %w", err)
		}
	}
	last := 0
	if len(kept) > 0 {
		last = kept[len(kept)-1].Epoch
	}
	return openHistory(path, last)
}

func openHistory(path string, last int) (*History, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return &History{path: path, file: file, last: last}, nil
}

// Append adds the row of a finished epoch and flushes it to the disk. Epochs must
// ascend. Append before saving the epoch's checkpoint: then a crash between the
// two leaves a row too many, which resuming removes, and never one too few.
func (h *History) Append(r HistoryRow) error {
	if r.Epoch <= h.last {
		return fmt.Errorf("train: %s: a row of epoch %d cannot follow epoch %d", h.path, r.Epoch, h.last)
	}
	if _, err := h.file.WriteString(strings.Join(r.cells(), ",") + "\n"); err != nil {
		return fmt.Errorf("train: history: %w", err)
	}
	if err := h.file.Sync(); err != nil {
		return fmt.Errorf("train: history: %w", err)
	}
	h.last = r.Epoch
	return nil
}

// Close closes the file.
func (h *History) Close() error {
	if err := h.file.Close(); err != nil {
		return fmt.Errorf("train: history: %w", err)
	}
	return nil
}

// ReadHistory reads a history.csv. A last line without its line break, which a
// crash may leave, is not part of the history. Anything else that is wrong is a
// *HistoryError.
func ReadHistory(path string) ([]HistoryRow, error) {
	rows, _, err := readHistory(path)
	return rows, err
}

// readHistory also says whether the file ends with a whole line.
func readHistory(path string) (rows []HistoryRow, whole bool, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, false, fmt.Errorf("train: %w", err)
	}
	end := bytes.LastIndexByte(text, '\n') + 1
	whole = end == len(text)
	r := csv.NewReader(bytes.NewReader(text[:end]))
	r.FieldsPerRecord = -1 // counted here, for a better message
	for {
		cells, err := r.Read()
		if err == io.EOF {
			break
		}
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			return nil, whole, &HistoryError{path, parse.Line, "comma-separated cells", parse.Err.Error()}
		}
		if err != nil {
			return nil, whole, fmt.Errorf("train: %s: %w", path, err)
		}
		line, _ := r.FieldPos(0)
		if rows == nil {
			if !slices.Equal(cells, historyColumns) {
				return nil, whole, &HistoryError{path, line, "the columns " + strings.Join(historyColumns, ","), short(strings.Join(cells, ","))}
			}
			rows = []HistoryRow{}
			continue
		}
		row, wrong := parseRow(cells)
		if wrong != nil {
			wrong.Path, wrong.Line = path, line
			return nil, whole, wrong
		}
		if n := len(rows); row.Epoch < 1 || n > 0 && row.Epoch <= rows[n-1].Epoch {
			return nil, whole, &HistoryError{path, line, "an epoch after the row before", cells[0]}
		}
		rows = append(rows, row)
	}
	if rows == nil {
		return nil, whole, &HistoryError{path, 1, "the columns " + strings.Join(historyColumns, ","), "no complete line"}
	}
	return rows, whole, nil
}

func writeHistory(w io.Writer, rows []HistoryRow) error {
	text := strings.Join(historyColumns, ",") + "\n"
	for _, r := range rows {
		text += strings.Join(r.cells(), ",") + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// cells are the row's values as text, in the order of historyColumns.
func (r *HistoryRow) cells() []string {
	out := []string{strconv.Itoa(r.Epoch), strconv.FormatInt(r.Step, 10)}
	for i, v := range r.floats() {
		if math.IsNaN(*v) && mayBeAbsent(i) {
			out = append(out, "")
			continue
		}
		out = append(out, strconv.FormatFloat(*v, 'g', -1, 64))
	}
	return out
}

// floats are the columns after epoch and step.
func (r *HistoryRow) floats() []*float64 {
	return []*float64{&r.Loss, &r.Top1, &r.Top5, &r.ValLoss, &r.ValTop1, &r.ValTop5, &r.ImagesPerSecond, &r.LearningRate}
}

// column is the number in a column after epoch and step; NaN where there is none of that name.
func (r *HistoryRow) column(name string) float64 {
	i := slices.Index(historyColumns, name) - 2
	if i < 0 {
		return math.NaN()
	}
	return *r.floats()[i]
}

// mayBeAbsent holds for the validation's columns.
func mayBeAbsent(i int) bool { return i >= 3 && i <= 5 }

// parseRow is cells backwards; its error has no place yet.
func parseRow(cells []string) (HistoryRow, *HistoryError) {
	var r HistoryRow
	if len(cells) != len(historyColumns) {
		return r, &HistoryError{Expected: fmt.Sprintf("%d cells", len(historyColumns)), Found: strconv.Itoa(len(cells))}
	}
	var err error
	if r.Epoch, err = strconv.Atoi(cells[0]); err != nil {
		return r, &HistoryError{Expected: "a whole number as epoch", Found: strconv.Quote(short(cells[0]))}
	}
	if r.Step, err = strconv.ParseInt(cells[1], 10, 64); err != nil {
		return r, &HistoryError{Expected: "a whole number as step", Found: strconv.Quote(short(cells[1]))}
	}
	for i, v := range r.floats() {
		cell := cells[i+2]
		if cell == "" && mayBeAbsent(i) {
			*v = math.NaN()
			continue
		}
		if *v, err = strconv.ParseFloat(cell, 64); err != nil {
			return r, &HistoryError{Expected: "a number as " + historyColumns[i+2], Found: strconv.Quote(short(cell))}
		}
	}
	return r, nil
}

// short keeps a message readable when a file holds something absurd.
func short(s string) string {
	if len(s) <= 120 {
		return s
	}
	return strings.ToValidUTF8(s[:120], "") + "…"
}
