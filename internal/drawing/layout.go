package drawing

import (
	"cmp"
	"slices"
)

// slot is a place in a row of a drawing: a box, or a point where an arrow passes through the row.
type slot struct {
	box   int // -1 for a passing arrow
	width float64
	x     float64 // centre
	up    []*slot // in the row above
	down  []*slot
}

// layOutRows places the boxes of a drawing in rows by the longest path that leads to them (Sugiyama, Tagawa and Toda 1981). An
// arrow that skips rows is given a slot in each of them, one for all arrows from one box, so that it passes between the boxes.
// widths are the boxes'. It returns the rows, each from left to right without overlaps.
func layOutRows(d *Drawing, widths []float64) [][]*slot {
	rank, last := ranks(d)
	rows := make([][]*slot, 0)
	put := func(r int, s *slot) {
		for len(rows) <= r {
			rows = append(rows, nil)
		}
		rows[r] = append(rows[r], s)
	}
	chain := make([]map[int]*slot, len(d.Boxes)) // of each box, the slot in each row on the way of its arrows
	for i := range d.Boxes {
		chain[i] = map[int]*slot{rank[i]: {box: i, width: widths[i]}}
		put(rank[i], chain[i][rank[i]])
	}
	for i := range d.Boxes {
		for r := rank[i] + 1; r < last[i]; r++ {
			s := &slot{box: -1, width: passing}
			link(chain[i][r-1], s)
			chain[i][r] = s
			put(r, s)
		}
		for _, k := range d.before(i) {
			link(chain[k][rank[i]-1], chain[i][rank[i]])
		}
	}
	for sweep := range sweeps {
		if sweep%2 == 0 {
			for _, row := range rows {
				arrange(row, func(s *slot) []*slot { return s.up }, sweep < 4)
			}
		} else {
			for _, row := range slices.Backward(rows) {
				arrange(row, func(s *slot) []*slot { return s.down }, sweep < 4)
			}
		}
	}
	return rows
}

const (
	sweeps  = 12  // up and down, of which the first four order the rows
	passing = 6.0 // width of an arrow that passes
	between = 12.0
)

// ranks are the rows of the boxes, and the last rows in which their readers are. A box without arrows to it stands just above
// its first reader.
func ranks(d *Drawing) (rank, last []int) {
	rank, last = make([]int, len(d.Boxes)), make([]int, len(d.Boxes))
	for i := range d.Boxes {
		for _, k := range d.before(i) {
			rank[i] = max(rank[i], rank[k]+1)
		}
	}
	first := make([]int, len(d.Boxes))
	for i := range d.Boxes {
		for _, k := range d.before(i) {
			last[k] = max(last[k], rank[i])
			if first[k] == 0 || rank[i] < first[k] {
				first[k] = rank[i]
			}
		}
	}
	for i, b := range d.Boxes {
		if len(b.From) == 0 && first[i] > 0 {
			rank[i] = first[i] - 1
		}
	}
	return rank, last
}

// before are the boxes with an arrow to box i that come before it. Arrows from the others lead back, as where a layer is applied to
// what became of its own result.
func (d *Drawing) before(i int) []int {
	var out []int
	for _, k := range d.Boxes[i].From {
		if k < i {
			out = append(out, k)
		}
	}
	return out
}

func link(a, b *slot) {
	a.down = append(a.down, b)
	b.up = append(b.up, a)
}

// arrange moves the slots of a row as near to the middle of their neighbours as their widths allow, in the order of those
// middles if sort, else in the order in which they are.
func arrange(row []*slot, neighbours func(*slot) []*slot, sort bool) {
	want := map[*slot]float64{}
	for _, s := range row {
		want[s] = s.x
		if near := neighbours(s); len(near) > 0 {
			sum := 0.0
			for _, n := range near {
				sum += n.x
			}
			want[s] = sum / float64(len(near))
		}
	}
	if sort {
		slices.SortStableFunc(row, func(a, b *slot) int { return cmp.Compare(want[a], want[b]) })
	}
	// Slots that would overlap are joined to a block, which stands where the mean of its members' wishes is.
	type block struct {
		first, n   int
		width, sum float64 // sum of the positions that its members wish for its left edge
	}
	var blocks []block
	for i, s := range row {
		b := block{first: i, n: 1, width: s.width + between, sum: want[s] - s.width/2}
		for len(blocks) > 0 {
			p := blocks[len(blocks)-1]
			if p.sum/float64(p.n)+p.width <= b.sum/float64(b.n) {
				break
			}
			b = block{first: p.first, n: p.n + b.n, width: p.width + b.width, sum: p.sum + b.sum - float64(b.n)*p.width}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		left := b.sum / float64(b.n)
		for _, s := range row[b.first : b.first+b.n] {
			s.x = left + s.width/2
			left += s.width + between
		}
	}
}

// Places returns where boxes of these widths are put: row, left and right edge, in the order of the boxes.
func (d *Drawing) Places(widths []float64) [][3]float64 {
	at := make([][3]float64, len(d.Boxes))
	for r, row := range layOutRows(d, widths) {
		for _, s := range row {
			if s.box >= 0 {
				at[s.box] = [3]float64{float64(r), s.x - s.width/2, s.x + s.width/2}
			}
		}
	}
	return at
}
