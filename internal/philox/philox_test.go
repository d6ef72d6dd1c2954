package philox

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The known answers are those of the Random123 distribution (kat_vectors, philox4x32 10).
func TestBlockKnownAnswers(t *testing.T) {
	all := uint32(0xffffffff)
	for _, c := range []struct {
		name    string
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{"zero", [4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{"ones", [4]uint32{all, all, all, all}, [2]uint32{all, all}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{"pi", [4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, Block(c.counter, c.key)) })
	}
}

func TestKeyIsLowWordFirst(t *testing.T) {
	require.Equal(t, [2]uint32{0x89abcdef, 0x01234567}, Key(0x0123456789abcdef))
}

func TestFloat32StaysBelowOne(t *testing.T) {
	require.Equal(t, float32(0), Float32(0))
	require.Equal(t, float32(0.5), Float32(1<<31))
	require.Less(t, Float32(0xffffffff), float32(1))
}

func TestBelow(t *testing.T) {
	require.Equal(t, uint32(0), Below(0, 9))
	require.Equal(t, uint32(8), Below(0xffffffff, 9))
	require.Equal(t, uint32(4), Below(1<<31, 9))
}

func TestSequenceWalksTheBlocks(t *testing.T) {
	s := NewSequence(7, 3, 2, StreamShuffle)
	for block := uint32(0); block < 3; block++ {
		want := Block([4]uint32{block, 3, 2, StreamShuffle}, Key(7))
		for i := range want {
			require.Equal(t, want[i], s.Uint32())
		}
	}
}

func TestIntn(t *testing.T) {
	s := NewSequence(1, 0, 0, StreamShuffle)
	require.Zero(t, s.Intn(0))
	require.Zero(t, s.Intn(1))
	const n, draws = 7, 70000
	var counts [n]int
	for range draws {
		counts[s.Intn(n)]++
	}
	for v, c := range counts { // 10,000 expected, standard deviation 93
		require.InDelta(t, draws/n, c, 500, "value %d", v)
	}
	for range 100 { // a range just above half the words rejects nearly every second one
		require.Less(t, s.Intn(1<<31+1), uint32(1<<31+1))
	}
}

func TestStreamsDiffer(t *testing.T) {
	seen := map[uint32]uint32{}
	for _, stream := range []uint32{StreamShuffle, StreamAugment} {
		s := NewSequence(1, 0, 0, stream)
		w := s.Uint32()
		require.NotContains(t, seen, w)
		seen[w] = stream
	}
}

var sink [4]uint32

func BenchmarkBlock(b *testing.B) {
	b.SetBytes(16)
	for i := range b.N {
		sink = Block([4]uint32{uint32(i)}, [2]uint32{1, 2})
	}
}
