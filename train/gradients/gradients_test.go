package gradients

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	_ "github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// short is an experiment of a second.
func short() Config {
	c := DefaultConfig()
	c.Depth, c.Steps, c.Every, c.Batch = 8, 5, 2, 4
	return c
}

func experiment(t *testing.T, ctx context.Context, c Config, observe func(Progress)) (*Report, error) {
	split, err := data.Open(context.Background(), "sample", data.Options{})
	require.NoError(t, err)
	e, err := graph.Open("cpu", graph.Config{Threads: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	return Run(ctx, c, split, e, observe)
}

func TestRun(t *testing.T) {
	var steps []int
	r, err := experiment(t, context.Background(), short(), func(p Progress) { steps = append(steps, p.Step) })
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 3, 4, 5}, steps)
	require.Len(t, r.Nets, 2)
	for i, name := range []string{"plain8", "resnet8"} {
		n := r.Nets[i]
		require.Equal(t, name, n.Name)
		require.Len(t, n.Loss, 5)
		require.Len(t, n.layers(), 8)
		var looks []int
		for _, look := range n.Norms {
			looks = append(looks, look.Step)
			require.Len(t, look.Norms, len(n.Weights))
			for _, v := range look.Norms {
				require.True(t, v > 0 && !math.IsInf(v, 0))
			}
		}
		require.Equal(t, []int{1, 3, 5}, looks)
	}
	require.Less(t, r.Nets[0].Norms[0].Norms[0], r.Nets[1].Norms[0].Norms[0]/3, "shortcuts let gradients through")
	again, err := experiment(t, context.Background(), short(), nil)
	require.NoError(t, err)
	require.Equal(t, r, again)

	var norms, losses, picture, svg bytes.Buffer
	require.NoError(t, r.WriteNorms(&norms))
	rows, err := csv.NewReader(&norms).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 1+2*3*len(r.Nets[0].Weights))
	require.Equal(t, []string{"plain8", "1", "1", "conv1/kernel"}, rows[1][:4])
	require.NoError(t, r.WriteLosses(&losses))
	rows, err = csv.NewReader(&losses).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"step", "plain8", "resnet8"}, rows[0])
	require.Len(t, rows, 6)
	require.NoError(t, r.WritePNG(&picture))
	img, err := png.Decode(&picture)
	require.NoError(t, err)
	require.Greater(t, img.Bounds().Dx(), 1000)
	require.NoError(t, r.WriteSVG(&svg))
	for d := xml.NewDecoder(&svg); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
	}
	require.Contains(t, r.Summary()[0], "plain8: gradient of the first layer ")
	_, err = json.Marshal(r)
	require.NoError(t, err)
}

// TestRunThatEndsEarly keeps what was done, and can be drawn: also one step, and gradients of 0.
func TestRunThatEndsEarly(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	c := short()
	c.BatchNorm, c.Initializer = true, "he_normal"
	r, err := experiment(t, ctx, c, func(p Progress) {
		if p.Step == 2 {
			cancel()
		}
	})
	require.ErrorIs(t, err, train.ErrInterrupted)
	require.Len(t, r.Nets[1].Loss, 2)
	require.Equal(t, 2, r.Nets[1].Norms[1].Step)
	clear(r.Nets[0].Norms[1].Norms)
	require.NoError(t, r.WritePNG(io.Discard))

	c = short()
	c.Steps = 1
	r, err = experiment(t, context.Background(), c, nil)
	require.NoError(t, err)
	require.NoError(t, r.WriteSVG(io.Discard))
	for i := range r.Nets {
		clear(r.Nets[i].Norms[0].Norms)
	}
	require.NoError(t, r.WritePNG(io.Discard))

	c = short()
	c.LR, c.Steps = 1e30, 50
	r, err = experiment(t, context.Background(), c, nil)
	_, diverged := errors.AsType[*DivergedError](err)
	require.True(t, diverged, "%v", err)
	require.NoError(t, r.WritePNG(io.Discard))
	require.ErrorIs(t, (&Report{}).WritePNG(io.Discard), ErrNothing)
}

func TestWrongConfigs(t *testing.T) {
	for text, change := range map[string]func(*Config){
		"--steps wants at least 1, got 0":            func(c *Config) { c.Steps = 0 },
		"--every wants at least 1, got -1":           func(c *Config) { c.Every = -1 },
		"--batch wants at least 1":                   func(c *Config) { c.Batch = 0 },
		"--lr wants a positive number, got NaN":      func(c *Config) { c.LR = math.NaN() },
		`unknown initializer "he"`:                   func(c *Config) { c.Initializer = "he" },
		`unknown optimizer "sdg"`:                    func(c *Config) { c.Optimizer = "sdg" },
		"Depth must be 6n+2 for some n from 1, is 9": func(c *Config) { c.Depth = 9 },
	} {
		c := short()
		change(&c)
		_, err := experiment(t, context.Background(), c, nil)
		require.ErrorContains(t, err, text)
	}
	c := short()
	c.Depth = 9
	require.ErrorIs(t, c.Validate(), nn.ErrArgument)
	_, err := Run(context.Background(), short(), nil, nil, nil)
	require.ErrorContains(t, err, "training images")
}

// TestGradientsTooLargeToMeasure: the loss is a number still, the square of a norm is not: what came before is drawn.
func TestGradientsTooLargeToMeasure(t *testing.T) {
	c := short()
	c.LR, c.Every, c.Steps = 1e4, 1, 6
	r, err := experiment(t, context.Background(), c, nil)
	var wrong *DivergedError
	require.ErrorAs(t, err, &wrong)
	require.NotEmpty(t, wrong.Weight)
	require.ErrorContains(t, err, "became too large to measure at step 2; lower --lr")
	require.Len(t, r.Nets[0].Loss, 1)
	require.Len(t, r.Nets[1].Norms, 1)
	require.NoError(t, r.WritePNG(io.Discard))
	require.NoError(t, r.WriteSVG(io.Discard))
	require.Len(t, r.Summary(), 2)
	_, err = json.Marshal(r)
	require.NoError(t, err)
}
