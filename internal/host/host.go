// Package host reads what Linux tells of the machine and of this process. Elsewhere nothing is known.
package host

import (
	"os"
	"strconv"
	"strings"
)

// CPU is what Linux has to say of the first processor, such as its "model name" and its "flags".
func CPU() map[string]string { return firstOf(read("/proc/cpuinfo")) }

// firstOf are the fields of the first processor of a /proc/cpuinfo: up to an empty line.
func firstOf(cpuinfo string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(cpuinfo) {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			break
		}
		fields[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return fields
}

// Processor is the processor's name, "" where it is not known.
func Processor() string { return CPU()["model name"] }

// PeakMemory is the most memory that the process occupied so far, in bytes; 0 where it is not known.
func PeakMemory() int64 { return peakOf(read("/proc/self/status")) }

func peakOf(status string) int64 {
	for line := range strings.Lines(status) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			if kib, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				return kib << 10
			}
		}
	}
	return 0
}

func read(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return "" // not known
	}
	return string(text)
}
