package graph

import (
	"cmp"
	"slices"
)

// layOut gives every value its offset and returns the size of the arena. It counts the blocks that it looks at into work.
func layOut(lives []life, work *int) int {
	slices.SortStableFunc(lives, func(a, b life) int { return cmp.Compare(b.v.StoredBytes(), a.v.StoredBytes()) })
	// Values that live at the fullest step are all in each other's way, and of a training step, those of the backward pass that
	// live for a moment are not: apart, the ones leave few gaps to look at and the others hide none of them.
	full := fullest(lives)
	long, short := &blocks{work: work}, &blocks{work: work}
	size := 0
	for _, l := range lives {
		need := (l.v.StoredBytes() + align - 1) / align * align
		at := long.lowest(l, need, 0)
		for here, there := short, long; ; here, there = there, here {
			next := here.lowest(l, need, at)
			if next == at { // free in both
				break
			}
			at = next
		}
		l.v.Offset = at
		if l.born <= full && full <= l.dies {
			long.insert(l, at, at+need)
		} else {
			short.insert(l, at, at+need)
		}
		size = max(size, at+need)
	}
	return size
}

// fullest is the step at which most values live.
func fullest(lives []life) int {
	end := 0
	for _, l := range lives {
		end = max(end, l.dies)
	}
	change := make([]int, end+2)
	for _, l := range lives {
		change[l.born]++
		change[l.dies+1]--
	}
	full, most, n := 0, 0, 0
	for i, c := range change {
		if n += c; n > most {
			full, most = i, n
		}
	}
	return full
}

// blocks are the values that have their place, by offset, in a treap (Seidel & Aragon 1996, Randomized Search Trees). A
// subtree knows when its blocks live and how much room is between them, so that the search for a place passes by those that
// live at other times, and by those that all live at this one and leave no gap that is large enough. With the nested
// lifetimes of a training step, what is left to look at grows as the tree's height does.
type blocks struct {
	root   *block
	random uint64 // state of the priorities' generator: always the same sequence, so that plans are
	work   *int
}

type block struct {
	offset, end int
	born, dies  int
	priority    uint64
	left, right *block

	// Of the whole subtree.
	first, last int // lowest offset, highest end
	gap         int // at least the largest stretch between two blocks that no block covers
	someBorn    int // the first step at which any of the blocks lives
	someDies    int // the last such step
	allBorn     int // from this step on all have been born
	allDies     int // until this step none has died
}

// lowest returns the lowest offset from a given one on with need free bytes during a life.
func (t *blocks) lowest(l life, need, from int) int {
	if need == 0 {
		return 0
	}
	s := search{life: l, need: need, offset: from}
	s.pass(t.root)
	*t.work += s.visits
	return s.offset
}

type search struct {
	life
	need   int
	offset int  // all below is taken, or too narrow
	found  bool // the next block leaves room
	visits int
}

func (s *search) pass(b *block) {
	if s.found || b == nil {
		return
	}
	s.visits++
	if b.someDies < s.born || s.dies < b.someBorn || b.last <= s.offset {
		return
	}
	if s.dies >= b.allBorn && s.born <= b.allDies { // all of them are in the way
		if b.first >= s.offset+s.need {
			s.found = true
			return
		}
		if b.gap < s.need {
			s.offset = max(s.offset, b.last)
			return
		}
	}
	s.pass(b.left)
	if s.found {
		return
	}
	if b.dies >= s.born && s.dies >= b.born {
		if b.offset >= s.offset+s.need {
			s.found = true
			return
		}
		s.offset = max(s.offset, b.end)
	}
	s.pass(b.right)
}

func (t *blocks) insert(l life, offset, end int) {
	t.random += 0x9e3779b97f4a7c15 // SplitMix64 (Steele, Lea & Flood 2014)
	z := t.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	b := &block{offset: offset, end: end, born: l.born, dies: l.dies, priority: z ^ z>>31}
	t.root = t.add(t.root, b)
}

func (t *blocks) add(root, b *block) *block {
	*t.work++
	switch {
	case root == nil:
		root = b
	case b.priority > root.priority:
		b.left, b.right = t.split(root, b.offset)
		root = b
	case b.offset <= root.offset:
		root.left = t.add(root.left, b)
	default:
		root.right = t.add(root.right, b)
	}
	root.sum()
	return root
}

// split parts the blocks below an offset from the others.
func (t *blocks) split(root *block, offset int) (below, others *block) {
	if root == nil {
		return nil, nil
	}
	*t.work++
	if root.offset < offset {
		root.right, others = t.split(root.right, offset)
		below = root
	} else {
		below, root.left = t.split(root.left, offset)
		others = root
	}
	root.sum()
	return below, others
}

// sum computes what a block says of its subtree.
func (b *block) sum() {
	b.first, b.last, b.gap = b.offset, b.end, 0
	b.someBorn, b.someDies, b.allBorn, b.allDies = b.born, b.dies, b.born, b.dies
	for _, c := range [...]*block{b.left, b.right} {
		if c != nil {
			b.someBorn, b.someDies = min(b.someBorn, c.someBorn), max(b.someDies, c.someDies)
			b.allBorn, b.allDies = max(b.allBorn, c.allBorn), min(b.allDies, c.allDies)
		}
	}
	if l := b.left; l != nil {
		b.first, b.last = l.first, max(l.last, b.end)
		b.gap = max(l.gap, b.offset-l.last)
	}
	if r := b.right; r != nil {
		b.gap = max(b.gap, r.gap, r.first-b.last)
		b.last = max(b.last, r.last)
	}
}
