package nvml

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// gpu tells what a test wants.
type gpu struct {
	joules            []float64 // one after the other
	watts             float64
	noEnergy, noPower error
}

func (g *gpu) Energy() (float64, error) {
	if g.noEnergy != nil {
		return 0, g.noEnergy
	}
	j := g.joules[0]
	g.joules = g.joules[1:]
	return j, nil
}

func (g *gpu) Power() (float64, error) { return g.watts, g.noPower }

func TestMeasure(t *testing.T) {
	stop, err := Measure(&gpu{joules: []float64{1000, 1250}})
	require.NoError(t, err)
	joules, err := stop()
	require.NoError(t, err)
	require.Equal(t, 250.0, joules)

	none := errors.New("not supported")
	_, err = Measure(&gpu{noEnergy: none, noPower: none})
	require.ErrorIs(t, err, none)

	begin := time.Now()
	stop, err = Measure(&gpu{noEnergy: none, watts: 700})
	require.NoError(t, err)
	time.Sleep(2 * interval)
	joules, err = stop()
	require.NoError(t, err)
	require.GreaterOrEqual(t, joules, 700*2*interval.Seconds())
	require.LessOrEqual(t, joules, 700*time.Since(begin).Seconds())
	again, err := stop()
	require.NoError(t, err)
	require.Equal(t, joules, again)
}

// A GPU that falls silent is an error, and not less energy.
func TestMeasureFails(t *testing.T) {
	s := &sampler{watts: 10, last: time.Now()}
	none := errors.New("the GPU is lost")
	s.sample(&gpu{noPower: none})
	s.sample(&gpu{watts: 10})
	require.ErrorIs(t, s.err, none)
}
