package cpu

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// memoryBytes is the machine's memory with swap, or the container's limit where that is less; 0 when it is not known.
func memoryBytes() int {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	total := (int(info.Totalram) + int(info.Totalswap)) * int(info.Unit)
	limit, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return total
	}
	if n, err := strconv.Atoi(strings.TrimSpace(string(limit))); err == nil && n > 0 { // "max" means no limit
		return min(total, n)
	}
	return total
}
