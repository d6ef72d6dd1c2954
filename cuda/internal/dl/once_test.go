package dl

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnceKeepsWhatSucceeded(t *testing.T) {
	var o Once[*int]
	calls, fails := 0, errors.New("no")
	open := func(string) (*int, error) {
		if calls++; calls == 1 {
			return nil, fails
		}
		return new(int), nil
	}
	_, err := o.Open("a", open)
	require.ErrorIs(t, err, fails)
	first, err := o.Open("a", open)
	require.NoError(t, err)
	again, err := o.Open("a", open)
	require.NoError(t, err)
	require.Same(t, first, again)
	other, err := o.Open("b", open)
	require.NoError(t, err)
	require.NotSame(t, first, other)
	require.Equal(t, 3, calls)
}
