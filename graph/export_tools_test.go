package graph

import "time"

// StartProfileBy is StartProfile with a clock of the test's own.
func (m *Machine) StartProfileBy(clock func() time.Duration) { m.record(clock) }

// Boxes returns where a drawing's boxes are put: row, left and right edge, in the order of its boxes.
func Boxes(d *Drawing, width float64) [][3]float64 {
	widths := make([]float64, len(d.boxes))
	for i := range widths {
		widths[i] = width
	}
	at := make([][3]float64, len(d.boxes))
	for r, row := range layOutRows(d, widths) {
		for _, s := range row {
			if s.box >= 0 {
				at[s.box] = [3]float64{float64(r), s.x - s.width/2, s.x + s.width/2}
			}
		}
	}
	return at
}

// Arrows returns the boxes with an arrow to box i, and its ID.
func Arrows(d *Drawing, i int) (from []int, id string) { return d.boxes[i].from, d.boxes[i].id }

// SI is si.
var SI = si
