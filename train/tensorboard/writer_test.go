package tensorboard_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/train/tensorboard"
)

var update = flag.Bool("update", false, "write testdata/golden/run anew; scripts/golden/make_tensorboard.py then reads it")

// clock is a second later with every look at it.
func clock() func() time.Time {
	now := time.Unix(1_800_000_000, 250_000_000)
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

func picture() image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 3, 2))
	for i, c := range []color.RGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {0, 0, 0, 255}, {255, 255, 255, 255}, {1, 2, 3, 255}} {
		m.SetRGBA(i%3, i/3, c)
	}
	return m
}

// someOfAll tells what scripts/golden/make_tensorboard.py has TensorFlow tell.
func someOfAll(t *testing.T, w *tensorboard.Writer) {
	t.Helper()
	require.NoError(t, w.Scalar("epoch_loss", 2.25, 0))
	require.NoError(t, w.Scalar("epoch_loss", 0.1, 1))
	require.NoError(t, w.Scalar("nan", math.NaN(), 1<<40))
	require.NoError(t, w.Histogram("conv/kernel/histogram", []float32{-1, -0.99, 0.1, 0.125, 0.3, 0.5, 2.03125}, 3))
	require.NoError(t, w.Histogram("conv/bias/histogram", []float32{0.25, 0.25, 0.25, 0.25, 0.25}, 3))
	require.NoError(t, w.Histogram("nothing", nil, 3))
	require.NoError(t, w.Text("about", "# A run\n\n*of* TensorFlow, größer", 0))
	require.NoError(t, w.Image("picture", picture(), 2))
}

// records are those of a file, whose events begin with a wall time, which is taken off.
func records(t *testing.T, path string) (data [][]byte) {
	t.Helper()
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	data, err = tensorboard.Records(path, file)
	require.NoError(t, err)
	whole := 0
	for i, d := range data {
		require.EqualValues(t, 1<<3|1, d[0], "the tag of the wall time")
		whole += len(d) + 16
		data[i] = d[9:]
	}
	require.Equal(t, len(file), whole)
	return data
}

// TestEventsAreTensorFlows: each event is that of TensorFlow to the last byte, but for its time and the packing of an image.
func TestEventsAreTensorFlows(t *testing.T) {
	w, err := tensorboard.NewWriter(t.TempDir())
	require.NoError(t, err)
	someOfAll(t, w)
	require.NoError(t, w.Close())
	want, got := records(t, "testdata/golden/tensorflow.tfevents"), records(t, w.Path())
	require.Len(t, want, 9)
	require.Len(t, got, 10, "a run says that it begins")
	require.Equal(t, []byte("\x1a\x0dbrain.Event:2"), got[0][:15])
	require.Equal(t, want[0][:15], got[0][:15])
	require.Equal(t, []byte{7<<3 | 2, 2, 1 << 3, 1}, got[1], "SessionLog START of step 0")
	for i, w := range want[1:8] {
		require.Equal(t, hex.Dump(w), hex.Dump(got[i+2]), "event %d", i+1)
	}
	mark := []byte("\x89PNG")
	theirs, theirImage, ok := bytes.Cut(want[8], mark)
	require.True(t, ok)
	ours, ourImage, ok := bytes.Cut(got[9], mark)
	require.True(t, ok)
	tail := []byte("J\x0a\x0a\x08\x0a\x06images")
	require.True(t, bytes.HasSuffix(theirImage, tail))
	require.True(t, bytes.HasSuffix(ourImage, tail))
	require.Len(t, ours, len(theirs), "the sizes in front are of one byte each")
	var decoded [2][]color.Color
	for i, file := range [][]byte{theirImage, ourImage} {
		m, err := png.Decode(bytes.NewReader(append(bytes.Clone(mark), file...)))
		require.NoError(t, err)
		require.Equal(t, image.Rect(0, 0, 3, 2), m.Bounds())
		for p := range 6 {
			decoded[i] = append(decoded[i], color.RGBAModel.Convert(m.At(p%3, p/3)))
		}
	}
	require.Equal(t, decoded[0], decoded[1])
	require.Equal(t, color.RGBA{1, 2, 3, 255}, decoded[1][5])
}

// epochs tells of epochs, of three batches each.
func epochs(t *testing.T, w *tensorboard.Writer, offset float64, numbers ...int) {
	t.Helper()
	for _, e := range numbers {
		for b := range 3 {
			require.NoError(t, w.Scalar("batch_loss", offset+float64(3*e+b)/8, 3*e+b+1))
		}
		require.NoError(t, w.Scalar("epoch_loss", offset+float64(e), e))
		require.NoError(t, w.Histogram("dense/kernel/histogram", []float32{float32(offset), float32(e) + 0.5, -2}, e))
	}
}

// until keeps what was told in so many epochs of three batches.
func until(epochs int) func(string, int64) bool {
	return func(tag string, step int64) bool {
		if tag == "batch_loss" {
			return step <= int64(3*epochs)
		}
		return step < int64(epochs)
	}
}

// goldenRun is a run that was stopped after one epoch, went on, was killed in the fourth and went on after the second.
func goldenRun(t *testing.T, dir string) {
	t.Helper()
	now := clock()
	w, err := tensorboard.NewWriterAt(dir, now)
	require.NoError(t, err)
	require.NoError(t, w.Text("about", "a *run*", 0))
	epochs(t, w, 0, 0)
	require.NoError(t, w.Close())
	w, err = tensorboard.ResumeAt(dir, until(1), now)
	require.NoError(t, err)
	epochs(t, w, 0, 1, 2)
	require.NoError(t, w.Scalar("batch_loss", 99, 10))
	require.NoError(t, w.Close())
	w, err = tensorboard.ResumeAt(dir, until(2), now)
	require.NoError(t, err)
	epochs(t, w, 100, 2)
	require.NoError(t, w.Close())
	w, err = tensorboard.ResumeAt(dir, until(3), now)
	require.NoError(t, err)
	epochs(t, w, 100, 3)
	require.NoError(t, w.Close())
}

// contents are the files of a folder by the second in their names, which hold names of machines and processes besides.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := tensorboard.Files(dir)
	require.NoError(t, err)
	out := map[string]string{}
	for _, path := range files {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		out[filepath.Base(path)[:len("events.out.tfevents.1800000000")]] = hex.Dump(text)
	}
	require.Len(t, out, len(files))
	return out
}

// TestGoldenRun: the files are those that TensorBoard read when read.json was made.
func TestGoldenRun(t *testing.T) {
	const golden = "testdata/golden/run"
	dir := t.TempDir()
	goldenRun(t, dir)
	got := contents(t, dir)
	require.Len(t, got, 2, "of the files with what became invalid, one is left, and what is valid is in it")
	if *update {
		require.NoError(t, os.RemoveAll(golden))
		require.NoError(t, os.MkdirAll(golden, 0o755))
		files, err := tensorboard.Files(dir)
		require.NoError(t, err)
		for _, path := range files {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			name := filepath.Base(path)[:len("events.out.tfevents.1800000000")] + ".golden.1.v2"
			require.NoError(t, os.WriteFile(filepath.Join(golden, name), text, 0o644))
		}
	}
	require.Equal(t, contents(t, golden), got)
}

// TestTensorBoardReadsIt: what TensorBoard read in testdata/golden/run is what was told, and of epochs that were done twice the second time.
func TestTensorBoardReadsIt(t *testing.T) {
	type point struct {
		Time  float64
		Step  int
		Shape []int
		Value []any
	}
	var read map[string]struct {
		Plugin string
		Class  int
		Points []point
	}
	text, err := os.ReadFile("testdata/golden/read.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &read))
	require.Len(t, read, 4)
	values := func(tag string, plugin string, class int) (steps []int, values []any) {
		require.Equal(t, plugin, read[tag].Plugin)
		require.Equal(t, class, read[tag].Class)
		for _, p := range read[tag].Points {
			require.InDelta(t, 1_800_000_030, p.Time, 60)
			steps = append(steps, p.Step)
			if len(p.Value) == 1 {
				values = append(values, p.Value[0])
			}
		}
		return steps, values
	}
	steps, losses := values("epoch_loss", "scalars", 1)
	require.Equal(t, []int{0, 1, 2, 3}, steps)
	require.Equal(t, []any{0., 1., 102., 103.}, losses)
	steps, losses = values("batch_loss", "scalars", 1)
	require.Equal(t, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, steps)
	require.Equal(t, []any{0., 0.125, 0.25, 0.375, 0.5, 0.625, 100.75, 100.875, 101., 101.125, 101.25, 101.375}, losses)
	steps, _ = values("dense/kernel/histogram", "histograms", 2)
	require.Equal(t, []int{0, 1, 2, 3}, steps)
	last := read["dense/kernel/histogram"].Points[3]
	require.Equal(t, []int{30, 3}, last.Shape)
	require.Equal(t, -2., last.Value[0])
	require.Equal(t, []any{100., 1.}, last.Value[88:])
	steps, about := values("about", "text", 2)
	require.Equal(t, []int{0}, steps)
	require.Equal(t, []any{hex.EncodeToString([]byte("a *run*"))}, about)
}

// TestReadScalars reads what TensorFlow, PyTorch and we wrote.
func TestReadScalars(t *testing.T) {
	dir := t.TempDir()
	file, err := os.ReadFile("testdata/golden/tensorflow.tfevents")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "events.out.tfevents.1.host.v2"), file, 0o644))
	read, err := tensorboard.ReadScalars(dir)
	require.NoError(t, err)
	require.Len(t, read, 2)
	require.Equal(t, []tensorboard.Point{{Value: 2.25}, {Step: 1, Value: float64(float32(0.1))}}, read["epoch_loss"])
	require.Len(t, read["nan"], 1)
	require.True(t, math.IsNaN(read["nan"][0].Value))
	require.EqualValues(t, 1<<40, read["nan"][0].Step)

	read, err = tensorboard.ReadScalars("testdata/golden/run")
	require.NoError(t, err)
	require.Len(t, read, 2)
	require.Equal(t, []tensorboard.Point{{0, 0}, {1, 1}, {2, 102}, {3, 103}}, read["epoch_loss"])
	require.Len(t, read["batch_loss"], 12)

	// A plain number, and one in a list of a tensor, packed or not.
	old := tensorboard.Record([]byte("\x10\x03\x2a\x0a\x0a\x08\x0a\x01a\x15\x00\x00\x20\x40"))
	for i, list := range []string{"\x2d\x00\x00\x20\x40", "\x2a\x04\x00\x00\x20\x40"} {
		tensor := "\x08\x01\x12\x00" + list
		value := "\x0a\x01a\x42" + string(rune(len(tensor))) + tensor
		summary := "\x0a" + string(rune(len(value))) + value
		old = append(old, tensorboard.Record([]byte("\x10"+string(rune(4+i))+"\x2a"+string(rune(len(summary)))+summary))...)
	}
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "events.out.tfevents.1.host"), old, 0o644))
	read, err = tensorboard.ReadScalars(dir)
	require.NoError(t, err)
	require.Equal(t, map[string][]tensorboard.Point{"a": {{3, 2.5}, {4, 2.5}, {5, 2.5}}}, read)

	read, err = tensorboard.ReadScalars(filepath.Join(dir, "none"))
	require.NoError(t, err)
	require.Empty(t, read)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "events.out.tfevents.2"), tensorboard.Record([]byte{0xff}), 0o644))
	_, err = tensorboard.ReadScalars(dir)
	require.ErrorContains(t, err, "at byte 12: expected an event")
}

// TestFilesFollowEachOther also when no time passes, or less than none.
func TestFilesFollowEachOther(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for _, second := range []int64{1000, 1000, 999, 5000, 1} {
		w, err := tensorboard.NewWriterAt(dir, func() time.Time { return time.Unix(second, 0) })
		require.NoError(t, err)
		require.NoError(t, w.Close())
		paths = append(paths, w.Path())
	}
	files, err := tensorboard.Files(dir)
	require.NoError(t, err)
	require.Equal(t, paths, files)
	files, err = tensorboard.Files(filepath.Join(dir, "none"))
	require.NoError(t, err)
	require.Empty(t, files)
}

// TestResumeAfterACrash: a file that ends within a record, at any byte of it, is read as far as it goes; one that was changed is an error, and stays.
func TestResumeAfterACrash(t *testing.T) {
	dir := t.TempDir()
	w, err := tensorboard.NewWriterAt(dir, clock())
	require.NoError(t, err)
	epochs(t, w, 0, 0)
	require.NoError(t, w.Close())
	whole, err := os.ReadFile(w.Path())
	require.NoError(t, err)
	all := records(t, w.Path())
	for cut := range whole {
		require.NoError(t, os.WriteFile(w.Path(), whole[:cut], 0o644))
		data, err := tensorboard.Records("", whole[:cut])
		require.NoError(t, err)
		require.Less(t, len(data), len(all))
	}
	keep := func(tag string, step int64) bool { return tag != "batch_loss" || step <= 2 }
	again, err := tensorboard.Resume(dir, keep) // of the last cut, without its last byte
	require.NoError(t, err)
	require.NoError(t, again.Close())
	require.NoFileExists(t, w.Path())
	got := records(t, again.Path())
	require.Equal(t, all[:2], got[:2])
	require.Equal(t, all[2:4], got[2:4], "two batches")
	require.Equal(t, all[5:6], got[4:], "and the epoch's loss; the histogram was cut off")
	require.NoError(t, os.Remove(again.Path()))

	for i := 0; i < len(whole); i += 7 {
		broken := bytes.Clone(whole)
		broken[i] ^= 0x10
		require.NoError(t, os.WriteFile(w.Path(), broken, 0o644))
		_, err := tensorboard.Resume(dir, keep)
		var format *tensorboard.FormatError
		require.ErrorAs(t, err, &format, "byte %d", i)
		require.Equal(t, w.Path(), format.Path)
		require.LessOrEqual(t, format.Offset, int64(i))
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, left, 1)
	}
	require.NoError(t, os.WriteFile(w.Path(), []byte(strings.Repeat("not a file of events", 10)), 0o644))
	_, err = tensorboard.Resume(dir, keep)
	require.ErrorContains(t, err, "at byte 0: expected the length of a record and its checksum")
}

// TestSeveralGoroutines tell at once.
func TestSeveralGoroutines(t *testing.T) {
	w, err := tensorboard.NewWriter(filepath.Join(t.TempDir(), "a", "b"))
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 50 {
				if err := w.Scalar("x", 1, i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, w.Close())
	require.Len(t, records(t, w.Path()), 202)
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	w, err := tensorboard.NewWriter(dir)
	require.NoError(t, err)
	before, err := os.ReadFile(w.Path())
	require.NoError(t, err)
	require.ErrorContains(t, w.Scalar("", 1, 0), "the tag is empty")
	require.ErrorContains(t, w.Histogram("h", []float32{0, float32(math.Inf(-1))}, 0), "h: value 1 is -Inf")
	require.Error(t, w.Image("m", image.NewRGBA(image.Rectangle{}), 0), "an image without pixels")
	after, err := os.ReadFile(w.Path())
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.NoError(t, w.Close())
	require.NoError(t, w.Close())
	require.ErrorContains(t, w.Scalar("x", 1, 0), "is closed")
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	_, err = tensorboard.NewWriter(file)
	require.ErrorContains(t, err, file)
	_, err = tensorboard.Resume(file, nil)
	require.ErrorContains(t, err, file)
}
