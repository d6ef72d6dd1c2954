// Package words puts numbers into sentences.
package words

// Plural is a word in the number of n: 1 step, 2 steps.
func Plural(word string, n int) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
