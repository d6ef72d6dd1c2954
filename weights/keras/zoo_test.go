package keras_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights/keras"
)

// Small networks of the kinds of keras.applications; scripts/golden/make_keras_zoo.py made them.
func TestZooModels(t *testing.T) {
	for _, c := range numtest.LoadGolden(t, filepath.Join("testdata", "golden", "predictions_zoo.json")).Cases {
		for _, form := range []string{".keras", ".h5", ".weights.h5"} {
			if _, err := os.Stat(filepath.Join("testdata", c.Name+form+".gz")); err != nil {
				require.Contains(t, []string{"zoo_effnetv2", "zoo_mobilenetv3", "zoo_inception", "zoo_adapted"}, c.Name)
				continue
			}
			t.Run(c.Name+form, func(t *testing.T) {
				f := open(t, c.Name+form)
				var m *nn.Model
				var err error
				if form == ".weights.h5" {
					m, err = keras.Model(open(t, c.Name+".keras").Config)
					require.NoError(t, err)
					require.NoError(t, m.Initialize(7, tensor.Float32))
					require.NoError(t, f.Assign(m))
				} else {
					m, err = f.Model()
					require.NoError(t, err)
					checkNames(t, m, f.Tensors())
				}
				total, _, _ := m.CountParams()
				require.Equal(t, c.For(t).Int("params"), total)
				check(t, m, c.For(t))
			})
		}
	}
}

// A Sequential model in another one is called so.
func TestNestedSequential(t *testing.T) {
	m, err := open(t, "zoo_convnexts.keras").Model()
	require.NoError(t, err)
	classes := map[string]string{}
	for _, l := range m.Layers() {
		classes[l.Name] = l.Class
	}
	require.Equal(t, "Sequential", classes["zoo_convnext_stem"])
	require.Equal(t, "StochasticDepth", classes["zoo_convnext_stage_2_block_1_stochastic_depth"])
}
