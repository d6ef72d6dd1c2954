package weights

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/internal/atomicfile"
)

const (
	checkpointFormat  = "stheno-checkpoint"
	checkpointVersion = "1"
)

// noDigest stands in for the digest while the digest is computed.
var noDigest = strings.Repeat("0", hex.EncodedLen(sha256.Size))

// Checkpoint is everything that a training run needs to go on, or a program to
// use the trained weights. On disk it is an ordinary safetensors file; its
// metadata are "format" ("stheno-checkpoint"), "version" ("1"), "arch", "step",
// "metric", "run", "state" and "sha256".
//
// "sha256" is the SHA-256 of the whole file, in hex, computed with 64 zeros in its
// own place: so it covers names, shapes, run and state as well as the tensors.
type Checkpoint struct {
	// Arch names the architecture, for example "resnet50".
	Arch string
	// Step counts the optimizer steps done; not negative.
	Step int64
	// Metric is the value by which checkpoints are compared (validation top-1,
	// say); NaN when there is none yet.
	Metric float64
	// Run is JSON that defines the run: its configuration. Empty means {}.
	Run json.RawMessage
	// State is JSON for where the run stands: epoch, position in the data, seeds,
	// running sums. Empty means {}.
	State json.RawMessage
	// Tensors are called "model/<layer>/<weight>" and
	// "optimizer/<slot>/<layer>/<weight>".
	Tensors []Tensor
}

// Section returns the tensors whose names begin with prefix, such as "model/" or
// "optimizer/", under their names without it. The data is shared, not copied.
func (c *Checkpoint) Section(prefix string) []Tensor {
	var out []Tensor
	for _, t := range c.Tensors {
		if name, ok := strings.CutPrefix(t.Name, prefix); ok {
			t.Name = name
			out = append(out, t)
		}
	}
	return out
}

// SaveCheckpoint writes c to path atomically and flushes it to the disk: after it
// returns nil the file survives a crash; when it returns an error, or the process
// is killed in it, the file that was at path before is still there. A full disk
// is found with errors.Is(err, syscall.ENOSPC).
func SaveCheckpoint(path string, c *Checkpoint) error { return saveCheckpoint(path, c, nil) }

// saveCheckpoint lets a test put a failing writer in front of the file.
func saveCheckpoint(path string, c *Checkpoint, wrap func(io.Writer) io.Writer) error {
	f, head, err := c.encode()
	if err != nil {
		return err
	}
	err = atomicfile.WriteFile(path, func(w io.Writer) error {
		if wrap != nil {
			w = wrap(w)
		}
		return encodeBody(w, head, f)
	})
	if err != nil {
		return fmt.Errorf("weights: %w", err) // it names path
	}
	return nil
}

// encode checks c and returns the file it becomes, with the finished header.
func (c *Checkpoint) encode() (*File, []byte, error) {
	if c == nil {
		return nil, nil, errors.New("weights: there is no checkpoint to write: it is nil")
	}
	if c.Step < 0 {
		return nil, nil, fmt.Errorf("weights: a checkpoint's step is not negative, this one has %d", c.Step)
	}
	f := &File{Tensors: c.Tensors, Metadata: map[string]string{
		"format":  checkpointFormat,
		"version": checkpointVersion,
		"arch":    c.Arch,
		"step":    strconv.FormatInt(c.Step, 10),
		"metric":  strconv.FormatFloat(c.Metric, 'g', -1, 64),
		"sha256":  noDigest,
	}}
	for key, raw := range map[string]json.RawMessage{"run": c.Run, "state": c.State} {
		if len(raw) == 0 {
			raw = json.RawMessage("{}")
		}
		if !json.Valid(raw) {
			return nil, nil, fmt.Errorf("weights: %q of the checkpoint is not valid JSON: %s", key, clip(string(raw)))
		}
		f.Metadata[key] = string(raw)
	}
	head, err := encodeHeader(f)
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.New()
	if err := encodeBody(sum, head, f); err != nil {
		return nil, nil, err
	}
	at, ok := findDigest(head, noDigest)
	if !ok {
		return nil, nil, errors.New("weights: the checkpoint's header has no single place for its digest")
	}
	hex.Encode(head[at:], sum.Sum(nil))
	return f, head, nil
}

// findDigest returns where in the header the digest stands. Inside strings quotes
// are escaped, so the pattern cannot occur in the text of run or state.
func findDigest(header []byte, digest string) (at int, ok bool) {
	pattern := []byte(`"sha256":"` + digest + `"`)
	at = bytes.Index(header, pattern) + len(`"sha256":"`)
	return at, bytes.Count(header, pattern) == 1
}

// LoadCheckpoint reads a checkpoint and verifies its digest. A file that is not
// there or cannot be opened gives the system's error; a file that is damaged, cut
// short, or no checkpoint of this format gives a *CorruptError.
func LoadCheckpoint(path string) (*Checkpoint, error) {
	var sum hash.Hash
	f, h, err := readFile(path, func(h *header) observer {
		at, ok := findDigest(h.raw, h.metadata["sha256"])
		if !ok || len(h.metadata["sha256"]) != len(noDigest) {
			return nil
		}
		sum = sha256.New()
		// A hash's Write never fails.
		length := uint64(len(h.raw))
		for shift := 0; shift < 64; shift += 8 {
			sum.Write([]byte{byte(length >> shift)})
		}
		sum.Write(h.raw[:at])
		sum.Write([]byte(noDigest))
		sum.Write(h.raw[at+len(noDigest):])
		return func(p []byte) { sum.Write(p) }
	})
	if h != nil && h.metadata["format"] == checkpointFormat && h.metadata["version"] != checkpointVersion {
		// Said first: the rest of such a file may follow other rules.
		return nil, &CorruptError{Path: path, Reason: fmt.Sprintf("it has format version %q, this program reads version %s", clip(h.metadata["version"]), checkpointVersion),
			Remedy: "use the version of stheno that wrote it", Err: err}
	}
	if format, ok := errors.AsType[*FormatError](err); ok {
		if other := foreign(path); other != "" {
			return nil, &CorruptError{Path: path, Reason: "it is " + other + ", no checkpoint", Err: err,
				Remedy: "make a checkpoint of it with stheno convert"}
		}
		reason := fmt.Sprintf("at byte %d: expected %s, found %s", format.Offset, format.Expected, format.Found)
		return nil, damaged(path, reason, err)
	}
	if err != nil {
		return nil, err
	}
	if got := f.Metadata["format"]; got != checkpointFormat {
		return nil, &CorruptError{Path: path, Reason: fmt.Sprintf("it is a safetensors file whose metadata \"format\" is %q, not %q", clip(got), checkpointFormat),
			Remedy: "name a checkpoint that stheno wrote, or make one with stheno convert"}
	}
	if sum == nil {
		return nil, damaged(path, `its metadata hold no "sha256" digest`, nil)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.Metadata["sha256"] {
		return nil, damaged(path, fmt.Sprintf("its content has SHA-256 %s, its header says %s", got, f.Metadata["sha256"]), nil)
	}
	return checkpointOf(path, f)
}

// checkpointOf takes a verified file apart.
func checkpointOf(path string, f *File) (*Checkpoint, error) {
	c := &Checkpoint{
		Arch:    f.Metadata["arch"],
		Run:     json.RawMessage(f.Metadata["run"]),
		State:   json.RawMessage(f.Metadata["state"]),
		Tensors: f.Tensors,
	}
	var err error
	if c.Step, err = strconv.ParseInt(f.Metadata["step"], 10, 64); err != nil || c.Step < 0 {
		return nil, damaged(path, fmt.Sprintf("its step is %q", clip(f.Metadata["step"])), err)
	}
	if c.Metric, err = strconv.ParseFloat(f.Metadata["metric"], 64); err != nil {
		return nil, damaged(path, fmt.Sprintf("its metric is %q", clip(f.Metadata["metric"])), err)
	}
	for key, raw := range map[string]json.RawMessage{"run": c.Run, "state": c.State} {
		if !json.Valid(raw) {
			return nil, damaged(path, fmt.Sprintf("its %q is not valid JSON", key), nil)
		}
	}
	return c, nil
}

func damaged(path, reason string, err error) *CorruptError {
	return &CorruptError{Path: path, Reason: reason, Err: err,
		Remedy: "the file is damaged or incomplete: use an older checkpoint of the run, or train anew"}
}

// better says whether metric a beats b; NaN beats nothing, and anything beats NaN.
func better(a, b float64, lowerIsBetter bool) bool {
	if math.IsNaN(a) || math.IsNaN(b) {
		return !math.IsNaN(a)
	}
	if lowerIsBetter {
		return a < b
	}
	return a > b
}

// IsCheckpoint says whether a safetensors file is a checkpoint, which LoadCheckpoint reads.
func IsCheckpoint(f *File) bool { return f.Metadata["format"] == checkpointFormat }
