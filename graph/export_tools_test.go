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
	return d.drawing().Places(widths)
}

// Arrows returns the boxes with an arrow to box i, and its ID.
func Arrows(d *Drawing, i int) (from []int, id string) { return d.boxes[i].From, d.boxes[i].ID }

// SI is si.
var SI = si
