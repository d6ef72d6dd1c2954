// Package thousands prints whole numbers as people read them.
package thousands

import "strconv"

// Format prints n with a comma between groups of three digits: 325,956, -1,000.
func Format[T ~int | ~int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(s) - 3; i > first; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
