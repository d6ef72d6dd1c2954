//go:build gpu && cgo && linux

package cuda

const (
	// moderate is the working memory that a call of a library may have for the asking. The programs of an engine hold as much as their most
	// demanding step needs, for which one way of one small convolution is enough.
	moderate = 64 << 20
	// worthwhile is the part of the time that a way with more must take at most of one with so much or less.
	worthwhile = 0.9
)

// faster says whether a way that the library proposes later is to be preferred to the best one so far.
func faster(took float64, workspace int64, best float64, bestWorkspace int64) bool {
	switch much, bestMuch := workspace > moderate, bestWorkspace > moderate; {
	case much && !bestMuch:
		return took < worthwhile*best
	case bestMuch && !much:
		return took*worthwhile < best
	}
	return took < margin*best
}
