package host

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Memory is the machine's memory with swap, or the container's limit where that is less, in bytes; 0 where it is not known.
func Memory() int {
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
