package train_test

import (
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/train"
)

// album makes a folder of pictures of many sizes in three classes, which their colours tell apart.
func album(t testing.TB, training, tests int) string {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	for half, n := range map[string]int{"train": training, "val": tests} {
		for i := range n {
			class := i % 3
			at := filepath.Join(dir, half, []string{"red", "green", "blue"}[class])
			require.NoError(t, os.MkdirAll(at, 0o755))
			m := image.NewRGBA(image.Rect(0, 0, 30+r.IntN(60), 30+r.IntN(60)))
			for k := range m.Pix {
				m.Pix[k] = uint8(r.IntN(90))
				if k%4 == class {
					m.Pix[k] += 150
				}
			}
			for y := range m.Rect.Dy() {
				m.Set(y%m.Rect.Dx(), y, color.White)
			}
			f, err := os.Create(filepath.Join(at, fmt.Sprintf("%03d.JPEG", i)))
			require.NoError(t, err)
			require.NoError(t, jpeg.Encode(f, m, nil))
			require.NoError(t, f.Close())
		}
	}
	return dir
}

// pictured is a run on a folder of pictures: 5 steps an epoch, the last with 6 images.
func pictured(t *testing.T, dir string) (train.Config, *data.Split) {
	t.Helper()
	c := small(t)
	sgd(&c)
	c.Data, c.DataDir, c.Size, c.Epochs, c.LimitTrain, c.LimitTest = data.FolderName, dir, 32, 2, 0, 0
	split, err := data.Open(t.Context(), c.Data, data.Options{Dir: dir, Size: c.Size})
	require.NoError(t, err)
	return c, split
}

// TestTrainingOnPictures trains on a folder: interrupted and resumed in the middle of an epoch, and on an engine with memory of its own,
// which makes the images of bytes, a run is the same one.
func TestTrainingOnPictures(t *testing.T) {
	dir := album(t, 70, 30)
	whole, split := pictured(t, dir)
	e := engine(t, 2)
	w, err := runOf(t, whole, split, e, nil)
	require.NoError(t, err)
	require.Less(t, w.rows[1].Loss, w.rows[0].Loss)
	require.Greater(t, w.rows[1].ValTop1, 0.5, "chance is a third")
	require.Empty(t, w.notes)
	want := outcomeOf(t, whole.Out)
	recorded, _, err := train.ReadConfig(whole.Out)
	require.NoError(t, err)
	require.Equal(t, []any{"folder", dir, 32, [3]int{32, 32, 3}, []string{"blue", "green", "red"}, [2]int{70, 30}},
		[]any{recorded.Data, recorded.DataDir, recorded.Size, recorded.Input, recorded.Classes, recorded.Images})
	require.Equal(t, []float32{0.485, 0.456, 0.406}, recorded.Mean)
	require.Len(t, recorded.DataMD5, 2)

	part, _ := pictured(t, dir)
	_, err = runOf(t, part, split, e, func(p train.Progress) bool { return p.Epoch == 1 && p.Batch == 3 })
	require.ErrorIs(t, err, train.ErrInterrupted)
	_, err = runOf(t, resumed(t, part), split, e, nil)
	require.NoError(t, err)
	requireOutcome(t, want, part.Out)

	far, _ := pictured(t, dir)
	r := &remote{Engine: e, free: 1 << 40}
	w, err = runOf(t, far, split, r, nil)
	require.NoError(t, err)
	require.Empty(t, w.notes, "pictures are not kept on a device")
	requireOutcome(t, want, far.Out)
	for _, p := range r.plans {
		kinds := map[string]int{}
		for _, s := range p.Steps {
			kinds[s.Instr.Kind()]++
		}
		require.Equal(t, 1, kinds["CropAndResize"])
	}

	// Another folder is not that of the run.
	require.NoError(t, os.Remove(split.Train.Files.Path(3)))
	_, other := pictured(t, dir)
	_, err = runOf(t, resumed(t, whole), other, e, nil)
	require.ErrorContains(t, err, "give the same data set")
}

// TestVaryingPictures cuts out and mixes, with the same results on an engine that makes the images of bytes, and when a run is resumed.
func TestVaryingPictures(t *testing.T) {
	dir := album(t, 70, 30)
	varied := func() (train.Config, *data.Split) {
		c, split := pictured(t, dir)
		c.Augment, c.Cutout, c.Mixup = true, 8, 0.4
		return c, split
	}
	plain, split := pictured(t, dir)
	plain.Augment = true
	e := engine(t, 2)
	_, err := runOf(t, plain, split, e, nil)
	require.NoError(t, err)
	whole, _ := varied()
	_, err = runOf(t, whole, split, e, nil)
	require.NoError(t, err)
	want := outcomeOf(t, whole.Out)
	require.NotEqual(t, outcomeOf(t, plain.Out), want)

	far, _ := varied()
	_, err = runOf(t, far, split, &remote{Engine: e, free: 1 << 40}, nil)
	require.NoError(t, err)
	requireOutcome(t, want, far.Out)
	part, _ := varied()
	_, err = runOf(t, part, split, e, func(p train.Progress) bool { return p.Epoch == 1 && p.Batch == 3 })
	require.ErrorIs(t, err, train.ErrInterrupted)
	_, err = runOf(t, resumed(t, part), split, e, nil)
	require.NoError(t, err)
	requireOutcome(t, want, part.Out)

	// The plan that is shown is that of the run.
	c, _ := varied()
	c.Batch = 14
	for _, e := range []graph.Engine{graph.Null{}, fedBytes{}} {
		tr, err := train.New(c, split, e, nil)
		require.NoError(t, err)
		p, err := tr.Plan()
		require.NoError(t, err)
		shown := c
		shown.Input, shown.Classes = split.Train.Shape, split.Train.Classes
		n := data.Standardize(split.Train)
		if c.Standardise {
			shown.Mean, shown.Std = n.Mean, n.Std
		}
		m, err := train.NewModel(shown)
		require.NoError(t, err)
		g, o, err := train.RunStepGraph(shown, m, graph.IsRemote(e))
		require.NoError(t, err)
		q, err := graph.PlanFor(g, o...)
		require.NoError(t, err)
		require.Equal(t, p.String(), q.String())
		require.NoError(t, tr.Close())
		c.Out = t.TempDir()
	}
}

// A picture that is damaged ends a run with an error that names it; what was done is saved.
func TestDamagedPictureEndsTheRun(t *testing.T) {
	dir := album(t, 70, 30)
	c, split := pictured(t, dir)
	require.NoError(t, os.WriteFile(split.Test.Files.Path(7), []byte("no picture"), 0o644))
	w, err := runOf(t, c, split, engine(t, 2), nil)
	require.ErrorContains(t, err, "data: picture "+split.Test.Files.Path(7)+": is neither PNG nor JPEG")
	require.Empty(t, w.rows)
}

// With SkipDamaged, which a resumed run may add, other pictures take the places of damaged ones; each is named once, and they are counted.
func TestSkippingDamagedPictures(t *testing.T) {
	dir := album(t, 70, 30)
	c, split := pictured(t, dir)
	sound, _ := pictured(t, dir)
	e := engine(t, 2)
	_, err := runOf(t, sound, split, e, nil)
	require.NoError(t, err)
	var bad []string
	for _, path := range []string{split.Train.Files.Path(5), split.Test.Files.Path(7)} {
		bad = append(bad, path)
		require.NoError(t, os.WriteFile(path, []byte("no picture"), 0o644))
	}

	c.SkipDamaged = true
	w, err := runOf(t, c, split, e, nil)
	require.NoError(t, err)
	require.Equal(t, []string{
		"damaged, and another one of its class is in its place: " + bad[0] + ": is neither PNG nor JPEG",
		"damaged, and another one of its class is in its place: " + bad[1] + ": is neither PNG nor JPEG",
		"damaged pictures with others in their places: 1 of training, 1 of tests",
	}, w.notes)
	recorded, _, err := train.ReadConfig(c.Out)
	require.NoError(t, err)
	require.True(t, recorded.SkipDamaged)

	// The same run, in two parts, the second of which is told to.
	late, _ := pictured(t, dir)
	late.SkipDamaged = true
	_, err = runOf(t, late, split, e, func(p train.Progress) bool { return p.Epoch == 2 && p.Batch == 1 })
	require.ErrorIs(t, err, train.ErrInterrupted)
	late = resumed(t, late)
	late.SkipDamaged = false
	_, err = runOf(t, late, split, e, nil)
	require.ErrorContains(t, err, "is neither PNG nor JPEG")
	late = resumed(t, late)
	late.SkipDamaged = true
	_, err = runOf(t, late, split, e, nil)
	require.NoError(t, err)
	requireOutcome(t, outcomeOf(t, c.Out), late.Out)

	// Where the picture is taken out of its folder, the run cannot go on: the error says what could be done.
	require.NoError(t, os.Remove(bad[0]))
	_, other := pictured(t, dir)
	_, err = runOf(t, resumed(t, late), other, e, nil)
	require.ErrorContains(t, err, "was made on 70+30 images of 32×32×3 in 3 classes, ")
	require.ErrorContains(t, err, "--skip-damaged")
}

func TestSizeIsForFolders(t *testing.T) {
	c := small(t)
	c.Size = 64
	require.ErrorContains(t, c.Validate(), "--size goes with --data folder; the images of sample have a size of their own")
	c, split := pictured(t, album(t, 6, 3))
	c.Cutout = 33
	_, err := runOf(t, c, split, engine(t, 1), nil)
	require.ErrorContains(t, err, "--cutout wants at most the side of the images, 32, got 33")
	c = small(t)
	c.SkipDamaged = true
	require.ErrorContains(t, c.Validate(), "--skip-damaged goes with --data folder")
	c = small(t)
	c.ValSplit = 0.1
	require.ErrorContains(t, c.Validate(), "--val-split goes with --data folder")
	c.ValSplit = 1
	require.ErrorContains(t, c.Validate(), "--val-split wants a share from 0 to below 1, got 1")
}
