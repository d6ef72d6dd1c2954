package graph

import (
	"cmp"
	"slices"
	"strings"
)

// MemoryUse is how much of a device's memory an engine holds for a purpose.
type MemoryUse struct {
	Purpose string `json:"purpose"` // "weights and optimizer state"
	Bytes   int64  `json:"bytes"`
}

// MemoryLister is an [Engine] with memory of its own that can say what it holds it for. It is optional.
type MemoryLister interface {
	// MemoryUses lists the bytes that the engine holds at the moment by purpose, the most first. Together they are all that it holds.
	MemoryUses() []MemoryUse
}

// MemoryUses lists what an engine holds of memory of its own for, nothing where it has none or does not tell.
func MemoryUses(e Engine) []MemoryUse {
	if l, ok := e.(MemoryLister); ok {
		return l.MemoryUses()
	}
	return nil
}

// SortMemoryUses puts the most first, and of equal ones those with the lesser name.
func SortMemoryUses(uses []MemoryUse) {
	slices.SortFunc(uses, func(a, b MemoryUse) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Purpose, b.Purpose))
	})
}

// MemoryTable is a table of what memory is held for, one line a purpose and one for all together; "" of nothing.
func MemoryTable(uses []MemoryUse) string {
	if len(uses) == 0 {
		return ""
	}
	t, total := columns("lr"), int64(0)
	for _, u := range uses {
		t.add(u.Purpose, bytesText(u.Bytes))
		total += u.Bytes
	}
	t.add("device memory that the engine holds", bytesText(total))
	var b strings.Builder
	t.write(&b)
	return b.String()
}
