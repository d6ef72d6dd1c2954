//go:build gpu && cgo && linux

package kernel

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPacksStayTogether looks for neighbours in memory that a kernel of packs writes one by one: the compiler takes what is written at once apart if it
// does not see that the address is a multiple of as many bytes, which is as many more requests to memory. With -short it looks at one source of each
// file and storage, and of each way to share rows.
func TestPacksStayTogether(t *testing.T) {
	t.Parallel()
	l := realNVRTC(t)
	packs, seen, checked := regexp.MustCompile(`\b(VEC|PACK) [48]\b`), map[string]bool{}, 0
	for _, s := range everySource(t) {
		if pack := packs.FindString(s.Name); pack != "" || strings.HasPrefix(s.Name, "update") {
			key := fmt.Sprint(sort(s.Name), pack, strings.Contains(s.Name, "HELD 0"), strings.Contains(s.Name, "INPUT"))
			if seen[key] && testing.Short() {
				continue
			}
			seen[key] = true
			checked++
			t.Run(s.Name, func(t *testing.T) {
				t.Parallel()
				ptx, log, err := l.Compile(s.Name, s.Text, "--gpu-architecture=compute_90", "--std=c++17", "-default-device")
				require.NoError(t, err, log)
				require.Empty(t, apartIn(string(ptx)), "stores that could be one")
			})
		}
	}
	require.Greater(t, checked, 30)
}

// apartIn lists the runs of four stores to neighbouring places in a text of PTX, by kernel.
func apartIn(ptx string) (runs []string) {
	store := regexp.MustCompile(`^\s*st(?:\.global)?\.[fbu](16|32|64)\s+\[(%rd\d+)(?:\+(-?\d+))?\]`)
	kernel, run, last := "", 0, [3]string{}
	for line := range strings.Lines(ptx) {
		if _, after, ok := strings.Cut(line, ".entry "); ok {
			kernel, _, _ = strings.Cut(after, "(")
		}
		m := store.FindStringSubmatch(line)
		if m == nil {
			if strings.HasPrefix(line, "$") || strings.Contains(line, "bra") { // another block
				run = 0
			}
			continue
		}
		width, _ := strconv.Atoi(m[1])
		at, _ := strconv.Atoi(m[3])
		before, _ := strconv.Atoi(last[2])
		if run > 0 && m[1] == last[0] && m[2] == last[1] && at == before+width/8 {
			run++
		} else {
			run = 1
		}
		if last = [3]string{m[1], m[2], m[3]}; run == 4 && kernel != "slice_rows" { // which also moves what is not aligned
			runs = append(runs, fmt.Sprintf("%s: four of %d bits up to [%s+%d]", kernel, width, m[2], at))
		}
	}
	return runs
}
