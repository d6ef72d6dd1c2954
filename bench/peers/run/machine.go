package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/stheno-ml/stheno/internal/host"
)

// machine is what the figures depend on.
type machine struct {
	CPU        string   `json:"cpu"`
	Processors int      `json:"processors"`
	Flags      string   `json:"flags"`
	Caches     []string `json:"caches"`
	Memory     string   `json:"memory"`
	HugePages  string   `json:"huge_pages"`
	Kernel     string   `json:"kernel"`
	Go         string   `json:"go"`

	// Usable are the numbers of the processors that contestants are bound to, the first ones for few threads.
	Usable []int `json:"usable,omitempty"`
}

// inspect reads what Linux tells of the machine. Elsewhere little of it is known.
func inspect() machine {
	m := machine{Processors: runtime.NumCPU(), Usable: processors(), Go: runtime.Version(), Kernel: runtime.GOOS + " " + firstLine("/proc/sys/kernel/osrelease")}
	m.CPU, m.Flags = processor(host.CPU())
	for line := range strings.Lines(read("/proc/meminfo")) {
		if total, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			m.Memory = strings.TrimSpace(total)
		}
	}
	m.HugePages = firstLine("/sys/kernel/mm/transparent_hugepage/enabled")
	levels, _ := filepath.Glob("/sys/devices/system/cpu/cpu0/cache/index*") // only a bad pattern is an error
	for _, level := range levels {
		m.Caches = append(m.Caches, fmt.Sprintf("L%s %s %s", firstLine(level+"/level"), strings.ToLower(firstLine(level+"/type")), firstLine(level+"/size")))
	}
	return m
}

// processor describes one, with those of its flags that matter here.
func processor(info map[string]string) (model, flags string) {
	model = info["model name"]
	if info["cpu family"] != "" {
		model += fmt.Sprintf(" (family %s, model %s, stepping %s)", info["cpu family"], info["model"], info["stepping"])
	}
	var vector []string
	for _, f := range strings.Fields(info["flags"]) {
		for _, prefix := range []string{"sse4_2", "avx", "fma", "f16c", "bmi", "amx"} {
			if strings.HasPrefix(f, prefix) {
				vector = append(vector, f)
				break
			}
		}
	}
	return model, strings.Join(vector, " ")
}

func read(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return "" // not known
	}
	return string(text)
}

func firstLine(name string) string {
	line, _, _ := strings.Cut(read(name), "\n")
	return line
}
