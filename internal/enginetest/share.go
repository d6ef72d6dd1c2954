package enginetest

import (
	"fmt"
	"os"
	"testing"
)

// ShareEnv is the environment variable that gives a process a share of the suite: 2/8 is the second of eight, with every eighth case. So
// what takes one process long, as under compute-sanitizer, is done by several at the same time.
const ShareEnv = "STHENO_TEST_SHARE"

// share are the cases of this process: all of them, unless the variable is set.
func share[C any](t testing.TB, cases []C) (mine []C) {
	t.Helper()
	text := os.Getenv(ShareEnv)
	if text == "" {
		return cases
	}
	var number, of int
	if n, err := fmt.Sscanf(text, "%d/%d", &number, &of); n != 2 || err != nil || number < 1 || number > of {
		t.Fatalf("%s=%s: it wants a share such as 2/8, the second of eight", ShareEnv, text)
	}
	for i := number - 1; i < len(cases); i += of {
		mine = append(mine, cases[i])
	}
	return mine
}
