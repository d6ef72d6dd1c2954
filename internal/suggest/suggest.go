// Package suggest finds the name a person probably meant.
package suggest

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// longest bounds the bytes of names that are compared, which takes time of the product of both: files may hold any.
const longest = 256

// Nearest returns the candidate closest to name, or "" when none is close enough to be a likely slip. Case, spaces
// and the signs "-", "_", "." and "/" do not count; beyond that, up to one edit in three letters (at least one) may
// separate the two, a swap of neighbours counting as one edit, or name may be the beginning of the candidate
// (three letters or more). The first of equally close candidates wins.
func Nearest(name string, candidates []string) string {
	if len(name) > longest {
		return ""
	}
	plain := fold(name)
	if plain == "" {
		return ""
	}
	best, bestCost := "", -1
	for _, c := range candidates {
		if len(c) > longest {
			continue
		}
		p := fold(c)
		letters := max(len([]rune(plain)), len([]rune(p)))
		cost := Distance(plain, p)
		if len(plain) >= 3 && strings.HasPrefix(p, plain) {
			cost = min(cost, 1)
		}
		if cost > max(1, letters/3) || p == "" || cost >= letters {
			continue
		}
		if bestCost < 0 || cost < bestCost {
			best, bestCost = c, cost
		}
	}
	return best
}

// Phrase returns `; did you mean "X"?` for the nearest candidate, or "" when there is none: the end of an error
// message about an unknown name.
func Phrase(name string, candidates []string) string {
	if n := Nearest(name, candidates); n != "" {
		return `; did you mean "` + n + `"?`
	}
	return ""
}

// Then is Phrase and what else there is to say, as the sentence that its question mark asks for: `; did you mean "X"? Known are A and B`, or
// `; known are A and B`.
func Then(name string, candidates []string, rest string) string {
	phrase := Phrase(name, candidates)
	if phrase == "" {
		return "; " + rest
	}
	return phrase + " " + Sentence(rest)
}

// Sentence is a text with a capital letter at its beginning.
func Sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_./", r) || unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// Distance is the optimal string alignment distance between a and b, in Unicode code points: the least number of
// insertions, deletions, replacements and swaps of neighbours that turns one into the other (Levenshtein 1966 with
// Damerau's swaps, no place edited twice).
func Distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	// Three rows of the table suffice: a swap looks two rows back.
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			replace := last[j-1]
			if x[i-1] != y[j-1] {
				replace++
			}
			row[j] = min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
