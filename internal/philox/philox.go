// Package philox is the counter-based random generator Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel
// Random Numbers: As Easy as 1, 2, 3" (SC 2011).
//
// A counter-based generator has no state: each block of four 32-bit words is a pure function of a counter and a key.
// That is what makes a shuffled and augmented stream independent of the number of workers, lets a resumed run repeat
// itself exactly, lets a backward pass recompute a dropout mask, and lets a CPU and a GPU draw the same numbers.
//
// # Keying
//
// Whoever draws numbers says which counters and keys are his. For a run of a given seed they are
//
//	shuffling       key = seed                     counter = { block, epoch, 0, StreamShuffle }
//	augmentation    key = seed                     counter = { sample, epoch, 0 or 1, StreamAugment }
//	mixing images   key = seed                     counter = { block, epoch, batch, StreamMixup }
//	initial weights key = seed                     counter = { block, 64 bits, 64-bit hash of the weight's name }
//	dropout         key = seed xor a constant      counter = { block, 64 bits, the layer's stream, step }
//	random nodes    key = seed xor another one     counter = { block, the node's stream, 64 bits, run }
//
// (package data, nn.Initializer, op.Dropout and nn.Context.Random, ir.Random; Key splits a seed, low word first). The
// constants keep the last two apart from the others, and from each other, whatever the step; a weight's name would have
// to hash to one of the few numbers of 2³² and a little more, or 2³³ or 3·2³², to meet the first three.
package philox

import "math/bits"

// The fourth counter word: what the numbers are for. Values are part of the meaning of a seed and never change.
const (
	StreamShuffle uint32 = 1 // order of an epoch's samples
	StreamAugment uint32 = 2 // crop and flip of one sample, and where it is cut
	StreamMixup   uint32 = 3 // how one batch is mixed
)

// Multipliers and key increments (the golden ratio and √3-1 as 32-bit fractions), table 2 of the paper.
const (
	mul0  = 0xD2511F53
	mul1  = 0xCD9E8D57
	weyl0 = 0x9E3779B9
	weyl1 = 0xBB67AE85
)

// Key splits a seed into the two key words, low word first.
func Key(seed uint64) [2]uint32 { return [2]uint32{uint32(seed), uint32(seed >> 32)} }

// Block returns the four random words of counter under key: ten rounds of Philox4x32.
func Block(counter [4]uint32, key [2]uint32) [4]uint32 {
	c0, c1, c2, c3 := counter[0], counter[1], counter[2], counter[3]
	k0, k1 := key[0], key[1]
	for range 10 {
		hi0, lo0 := bits.Mul32(mul0, c0)
		hi1, lo1 := bits.Mul32(mul1, c2)
		c0, c1, c2, c3 = hi1^c1^k0, lo1, hi0^c3^k1, lo0
		k0 += weyl0
		k1 += weyl1
	}
	return [4]uint32{c0, c1, c2, c3}
}

// Float32 maps a word to one of the 2²⁴ equally spaced float32 values in [0, 1): its upper 24 bits times 2⁻²⁴, which
// is exact, so that every engine obtains the same value.
func Float32(word uint32) float32 { return float32(word>>8) * (1.0 / (1 << 24)) }

// Below maps a word to 0 … n-1 by multiplication. The bias is at most n/2³², which for the small ranges of
// augmentation cannot be seen; use Sequence.Intn where every outcome must be exactly equally likely. n must not be 0.
func Below(word, n uint32) uint32 {
	hi, _ := bits.Mul32(word, n)
	return hi
}

// Sequence draws words one after the other from the blocks { 0, a, b, stream }, { 1, a, b, stream }, …
// It is for serial uses such as a shuffle. Copying it copies the position.
type Sequence struct {
	counter [4]uint32
	key     [2]uint32
	block   [4]uint32
	next    int // words of block already used; 4 means a new block is due
}

// NewSequence starts the sequence of (seed, a, b, stream) at its first word.
func NewSequence(seed uint64, a, b, stream uint32) Sequence {
	return Sequence{counter: [4]uint32{0, a, b, stream}, key: Key(seed), next: 4}
}

// Uint32 returns the next word.
func (s *Sequence) Uint32() uint32 {
	if s.next == 4 {
		s.block = Block(s.counter, s.key)
		s.counter[0]++
		s.next = 0
	}
	w := s.block[s.next]
	s.next++
	return w
}

// Intn returns a number in 0 … n-1, each exactly equally likely (Lemire, "Fast Random Integer Generation in an
// Interval", 2019: multiplication, with rejection of the few words that would favour some results). It returns 0
// when n is 0.
func (s *Sequence) Intn(n uint32) uint32 {
	if n == 0 {
		return 0
	}
	hi, lo := bits.Mul32(s.Uint32(), n)
	if lo < n {
		for reject := -n % n; lo < reject; {
			hi, lo = bits.Mul32(s.Uint32(), n)
		}
	}
	return hi
}
