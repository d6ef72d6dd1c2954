package cpu

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Tables of measured choices are kept as JSON.

// ErrTuning is what errors.Is finds in the errors for a file that holds no sound table, for a table that other kernels were measured for,
// and for an engine that cannot use one. Without a table the engine chooses by its estimates.
var ErrTuning = errors.New("cpu: not a table of measured choices that can be used")

// TuningError says why a table cannot be used.
type TuningError struct {
	Path   string // "" where it came from no file
	Reason string
	Newer  bool // it is a table, but a newer version made it
}

// Error names the file and the reason, and says what to do.
func (e *TuningError) Error() string {
	if e.Path == "" {
		return "cpu: the table of measured choices: " + e.Reason + again
	}
	return fmt.Sprintf("cpu: the table of measured choices in %s: %s%s", e.Path, e.Reason, again)
}

// Is makes errors.Is find [ErrTuning].
func (e *TuningError) Is(target error) bool { return target == ErrTuning }

const again = "; measure again with stheno tune"

// Bounds of what is read. All convolutions of all networks at dozens of batch sizes are a few thousand.
const (
	tuningFormat  = 1
	maxTuningFile = 8 << 20
	maxChoices    = 20000
	maxWays       = 32
	maxNameLen    = 128
	maxSize       = 1 << 30 // of anything that a convolution has a number of
)

// tuningFile is what a file holds.
type tuningFile struct {
	Format       int          `json:"format"`
	Kernels      int          `json:"kernels"` // kernel.Revision
	CPU          string       `json:"cpu"`
	Level        string       `json:"level"`
	Convolutions []tuningLine `json:"convolutions"`
}

// tuningLine is a choice.
type tuningLine struct {
	Pass      string     `json:"pass"`
	Packed    bool       `json:"packed,omitempty"`
	Images    int        `json:"images"`
	Channels  int        `json:"channels"`
	Filters   int        `json:"filters"`
	Groups    int        `json:"groups"`
	Rows      tuningSpan `json:"rows"`
	Columns   tuningSpan `json:"columns"`
	Format    string     `json:"format"`
	Dtype     string     `json:"dtype"`
	Precision string     `json:"precision"`
	Threads   int        `json:"threads"`
	Way       string     `json:"way"`
	Times     []WayTime  `json:"times"`
}

// tuningSpan is a shape.Span.
type tuningSpan struct {
	In       int `json:"in"`
	Out      int `json:"out"`
	Kernel   int `json:"kernel"`
	Stride   int `json:"stride"`
	Dilation int `json:"dilation"`
	Before   int `json:"before"`
	After    int `json:"after"`
}

// WriteJSON writes the table for [ReadTuning], a line a convolution. The same table is written the same way.
func (t *Tuning) WriteJSON(w io.Writer) error {
	name, err := json.Marshal(t.cpu)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"format\":%d,\"kernels\":%d,\"cpu\":%s,\"level\":%q,\"convolutions\":[", tuningFormat, kernel.Revision, name, t.level)
	for i, c := range t.sorted() {
		g, chosen := c.conv.Geometry, t.choices[c]
		line, err := json.Marshal(tuningLine{Pass: c.conv.Pass.String(), Packed: c.conv.Frozen, Images: g.N, Channels: g.C,
			Filters: g.F, Groups: g.Groups, Rows: tuningSpan(g.H), Columns: tuningSpan(g.W), Format: g.Format.String(),
			Dtype: dtypes[c.conv.Double], Precision: precisions[c.conv.Rounds], Threads: c.threads, Way: chosen.way, Times: chosen.times})
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n%s", line)
	}
	b.WriteString("]}\n")
	_, err = w.Write(b.Bytes())
	return err
}

var (
	dtypes     = map[bool]string{false: "float32", true: "float64"}
	precisions = map[bool]string{false: fp32, true: bf16}
)

// LoadTuning reads the table in a file. A file that cannot be opened gives the system's error, anything else a [*TuningError].
func LoadTuning(path string) (*Tuning, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cpu: the table of measured choices: %w", err)
	}
	defer f.Close() // read only
	t, err := ReadTuning(f)
	if e, ok := errors.AsType[*TuningError](err); ok {
		e.Path = path
	}
	return t, err
}

// ReadTuning reads what [Tuning.WriteJSON] wrote. An error of its own is a [*TuningError].
func ReadTuning(r io.Reader) (*Tuning, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxTuningFile+1))
	if err != nil {
		return nil, fmt.Errorf("cpu: the table of measured choices: %w", err)
	}
	t, reason, newer := parseTuning(text)
	if reason != "" {
		return nil, &TuningError{Reason: reason, Newer: newer}
	}
	return t, nil
}

// parseTuning returns a table or the reason why there is none, and whether that is that a newer version made it.
func parseTuning(text []byte) (t *Tuning, reason string, newer bool) {
	if len(text) > maxTuningFile {
		return nil, fmt.Sprintf("it is longer than %d MiB", maxTuningFile>>20), false
	}
	var f tuningFile
	head := struct{ Format, Kernels int }{}
	switch err := json.Unmarshal(text, &head); {
	case err != nil:
		return nil, fmt.Sprintf("it is damaged: %v", err), false
	case head.Format != tuningFormat:
		return nil, fmt.Sprintf("it has format %d, this version reads %d", head.Format, tuningFormat), head.Format > tuningFormat
	case head.Kernels != kernel.Revision:
		return nil, fmt.Sprintf("it was measured with other kernels (%d, these are %d)", head.Kernels, kernel.Revision), head.Kernels > kernel.Revision
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Sprintf("it is damaged: %v", err), false
	}
	t = &Tuning{clip(f.CPU), f.Level, map[Convolution]choice{}}
	if !slices.Contains([]string{"generic", "avx2", "avx512"}, f.Level) {
		return nil, fmt.Sprintf("%.40q is no instruction set of this engine", f.Level), false
	}
	if len(f.Convolutions) > maxChoices {
		return nil, fmt.Sprintf("it has %d convolutions, more than %d", len(f.Convolutions), maxChoices), false
	}
	for i, l := range f.Convolutions {
		c, reason := l.convolution()
		if reason == "" {
			reason = l.check()
		}
		if _, twice := t.choices[c]; reason == "" && twice {
			reason = "is there twice"
		}
		if reason != "" {
			return nil, fmt.Sprintf("convolution %d of %d %s", i+1, len(f.Convolutions), reason), false
		}
		t.choices[c] = choice{l.Way, l.Times}
	}
	return t, "", false
}

// convolution is what a line is about, or a reason why it is about none.
func (l tuningLine) convolution() (c Convolution, reason string) {
	passes := []string{kernel.Forward.String(), kernel.BackwardInput.String(), kernel.BackwardFilter.String()}
	pass := slices.Index(passes, l.Pass)
	switch {
	case pass < 0:
		return c, fmt.Sprintf("has an unknown pass, %.40q", l.Pass)
	case l.Packed && kernel.Pass(pass) != kernel.Forward:
		return c, "has a packed filter, which only convolutions forward have"
	case l.Format != shape.NHWC.String() && l.Format != shape.NCHW.String():
		return c, fmt.Sprintf("has an unknown format, %.40q", l.Format)
	case l.Dtype != dtypes[false] && l.Dtype != dtypes[true]:
		return c, fmt.Sprintf("has an unknown type of elements, %.40q", l.Dtype)
	case l.Precision != fp32 && (l.Precision != bf16 || l.Dtype != dtypes[false]):
		return c, fmt.Sprintf("has precision %.40q, which %s does not have", l.Precision, l.Dtype)
	}
	one := []int{l.Images, l.Channels, l.Filters, l.Groups, l.Threads}
	zero := []int{}
	for _, s := range []tuningSpan{l.Rows, l.Columns} {
		one = append(one, s.In, s.Out, s.Kernel, s.Stride, s.Dilation)
		zero = append(zero, s.Before, s.After)
	}
	if slices.Min(one) < 1 || slices.Min(zero) < 0 || slices.Max(one) > maxSize || slices.Max(zero) > maxSize {
		return c, "has a size that no convolution has"
	}
	g := op.ConvGeometry{N: l.Images, C: l.Channels, F: l.Filters, Groups: l.Groups, H: shape.Span(l.Rows), W: shape.Span(l.Columns)}
	if l.Format == shape.NCHW.String() {
		g.Format = shape.NCHW
	}
	return Convolution{kernel.Conv{Pass: kernel.Pass(pass), Geometry: g, Frozen: l.Packed, Double: l.Dtype == dtypes[true],
		Rounds: l.Precision == bf16}, l.Threads}, ""
}

// check says what is wrong with a line's ways. Which ways there are is not looked at: a way that this version does not have makes it
// compare others, and not use the line.
func (l tuningLine) check() string {
	chosen := false
	for i, t := range l.Times {
		switch {
		case i >= maxWays:
			return fmt.Sprintf("has more than %d ways", maxWays)
		case t.Way == "" || t.Way != clip(t.Way):
			return fmt.Sprintf("has a way that is no name, %.40q", t.Way)
		case !(t.Seconds > 0) || math.IsInf(t.Seconds, 0):
			return fmt.Sprintf("takes %v seconds", t.Seconds)
		case slices.ContainsFunc(l.Times[:i], func(u WayTime) bool { return u.Way == t.Way }):
			return fmt.Sprintf("has the way %q twice", t.Way)
		}
		chosen = chosen || t.Way == l.Way
	}
	if !chosen {
		return fmt.Sprintf("chooses %.40q, which is none of its ways", l.Way)
	}
	return ""
}

// clip is a name without what is not to be printed, and not too long.
func clip(name string) string {
	name = strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name), "")
	return strings.ToValidUTF8(name[:min(len(name), maxNameLen)], "")
}

// TuningFileName is a name for the table of a processor, by its own name and the instruction set in use, e.g.
// "amd-epyc-9r45-avx512.json".
func TuningFileName(cpu string) string {
	words := strings.FieldsFunc(strings.ToLower(clip(cpu)), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	return strings.Join(append(words, kernel.Level().String()), "-") + ".json"
}

// Check says whether engines can use the table: it must be of the instruction set in use. The error is a [*TuningError].
func (t *Tuning) Check() error {
	if level := kernel.Level().String(); t.level != level {
		return &TuningError{Reason: fmt.Sprintf("it was measured for %s kernels, these are %s", t.level, level)}
	}
	return nil
}

// snapshot is the table as it is now, for an engine.
func (t *Tuning) snapshot() (*Tuning, error) {
	if t == nil {
		return nil, nil
	}
	own := *t
	own.choices = maps.Clone(t.choices)
	return &own, t.Check()
}
