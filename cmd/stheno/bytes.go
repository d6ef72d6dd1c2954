package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/graph"
)

// byteCount is a flag for an amount of memory: 1500000, 512MiB, 1.5GB.
type byteCount int

var byteUnits = []struct {
	name string
	size float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
	{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1 << 40}, {"", 1}}

// Set reads an amount.
func (b *byteCount) Set(s string) error {
	for _, u := range byteUnits {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(n >= 0) || n*u.size >= math.MaxInt64 {
			break
		}
		*b = byteCount(n * u.size)
		return nil
	}
	return fmt.Errorf("%q is no amount of memory such as 512MiB or 2GiB", s)
}

// String is an amount that Set reads again as exactly that.
func (b byteCount) String() string {
	for i := 3; i >= 0; i-- {
		if size := int(byteUnits[i].size); b != 0 && int(b)%size == 0 {
			return strconv.Itoa(int(b)/size) + byteUnits[i].name
		}
	}
	return strconv.Itoa(int(b))
}

// Type names the value in help and errors.
func (b byteCount) Type() string { return "bytes" }

// memory is a number of bytes for people.
func memory(n int) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// deviceMemory says what a device's memory is held for: all of it, and the largest three purposes. "" where that is not known.
func deviceMemory(uses []graph.MemoryUse) string {
	const most = 3
	total, rest := 0, 0
	var parts []string
	for i, u := range uses {
		total += int(u.Bytes)
		if i < most {
			parts = append(parts, fmt.Sprintf("%s %s", u.Purpose, memory(int(u.Bytes))))
		} else {
			rest += int(u.Bytes)
		}
	}
	if rest > 0 {
		parts = append(parts, "the rest "+memory(rest))
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("device memory %s: %s", memory(total), strings.Join(parts, ", "))
}
