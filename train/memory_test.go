package train

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFitsMemory(t *testing.T) {
	c := DefaultConfig()
	c.Input, c.Classes = [3]int{32, 32, 3}, make([]string, 100)
	m, err := NewModel(c)
	require.NoError(t, err)
	total, trainable, _ := m.CountParams()
	need := int64(4 * (total + 2*trainable)) // Adam has two slots
	require.NoError(t, fitsMemory(m, Adam{}, false, 0))
	require.NoError(t, fitsMemory(m, Adam{}, false, need))
	err = fitsMemory(m, Adam{}, false, need-1)
	var e *MemoryError
	require.ErrorAs(t, err, &e)
	require.Equal(t, []any{total, need, "dense/kernel", int64(4 * 1152 * 256)}, []any{e.Parameters, e.Wanted, e.Largest, e.Bytes})
	require.ErrorContains(t, err, "with what adam keeps of each")
	require.NoError(t, fitsMemory(m, SGD{}, false, int64(4*total)))
	require.Error(t, fitsMemory(m, SGD{}, true, int64(4*total)), "and the averages")

	c.Input = [3]int{4000, 4000, 3}
	m, err = NewModel(c)
	require.NoError(t, err)
	require.ErrorContains(t, fitsMemory(m, Adam{}, false, 24<<30), "the machine has 24.0 GiB; the largest weight is \"dense/kernel\" of shape")
}

func TestUnreachedMilestones(t *testing.T) {
	for text, want := range map[string]string{
		"step:60,120,160:0.2":           "the run of 30 epochs ends before milestones 60, 120, 160 of the schedule step:60,120,160:0.2, and the learning rate never falls; --schedule names others",
		"step:10,20,30":                 "",
		"step:30":                       "the run of 30 epochs ends before milestone 30 of the schedule step:30:0.1, and the learning rate never falls; --schedule names others",
		"step:10,20,40":                 "the run of 30 epochs ends before milestone 40 of the schedule step:10,20,40:0.1; --schedule names others",
		"step:10,20,29.5":               "",
		"piecewise:40:1,0.1":            "the run of 30 epochs ends before milestone 40 of the schedule piecewise:40:1,0.1, and the learning rate never changes; --schedule names others",
		"cosine+warmup:1":               "",
		"constant":                      "",
		"exponential:epochs=2,rate=0.9": "",
		"step:60:0.1+warmup:1":          "the run of 30 epochs ends before milestone 60 of the schedule step:60:0.1+warmup:1, and the learning rate never falls; --schedule names others",
		"onecycle:pct_start=0.15":       "",
	} {
		s, err := ParseSchedule(text)
		require.NoError(t, err)
		require.Equal(t, want, s.unreached(30), text)
	}
}

func TestCheckAugment(t *testing.T) {
	c := DefaultConfig()
	c.Cutout = 100
	require.EqualError(t, c.checkAugment([3]int{32, 40, 3}), "train: --cutout wants at most the side of the images, 32, got 100")
	c.Cutout, c.Augment = 32, true
	require.NoError(t, c.checkAugment([3]int{32, 40, 3}))
	require.ErrorContains(t, c.checkAugment([3]int{4, 40, 3}), "--cutout")
	c.Cutout = 0
	require.ErrorContains(t, c.checkAugment([3]int{4, 40, 3}), "--augment moves images by up to 4 pixels")
	c.Data, c.Cutout, c.Mixup = "folder", 8, 0.2
	require.NoError(t, c.Validate())
}
