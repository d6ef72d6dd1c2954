package bench

import (
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/cpu"

	"github.com/stheno-ml/stheno/internal/host"
)

// Machine is where a report was made, and by what.
type Machine struct {
	CPU      string    `json:"cpu"`   // the processor's name, "" where the system does not tell
	Cores    int       `json:"cores"` // that the process may use
	Flags    []string  `json:"flags"` // instruction sets that matter to kernels, by Linux's names
	OS       string    `json:"os"`
	Arch     string    `json:"arch"`
	Go       string    `json:"go"`
	Version  string    `json:"version"`          // of the program's main module
	Commit   string    `json:"commit,omitempty"` // where Go recorded one; with "+" if there were changes
	Ceilings []Ceiling `json:"ceilings"`
	Busy     string    `json:"busy,omitempty"` // why the ceilings show that something else used the cores; "" where they do not
}

// Ceiling is what a device does at best. 0 is not known.
type Ceiling struct {
	Device    string  `json:"device"`
	Threads   int     `json:"threads,omitempty"`
	Precision string  `json:"precision,omitempty"` // of FLOPs; "" on the CPU, where it is float32
	FLOPs     float64 `json:"flops_per_second"`
	Bytes     float64 `json:"bytes_per_second"` // from and to memory
}

// ThisMachine describes the machine and the program, without ceilings.
func ThisMachine() Machine {
	m := Machine{CPU: host.Processor(), Cores: runtime.GOMAXPROCS(0), Flags: cpuFlags(), OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(), Version: "(devel)"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return m
	}
	if info.Main.Version != "" {
		m.Version = info.Main.Version
	}
	changed := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			m.Commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+"
		}
	}
	if m.Commit != "" {
		m.Commit += changed
	}
	return m
}

func cpuFlags() []string {
	flags := []string{}
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"avx2", cpu.X86.HasAVX2}, {"fma", cpu.X86.HasFMA},
		{"avx512f", cpu.X86.HasAVX512F}, {"avx512dq", cpu.X86.HasAVX512DQ}, {"avx512bw", cpu.X86.HasAVX512BW}, {"avx512vl", cpu.X86.HasAVX512VL},
		{"avx512_vnni", cpu.X86.HasAVX512VNNI}, {"avx512_bf16", cpu.X86.HasAVX512BF16}, {"amx_tile", cpu.X86.HasAMXTile}, {"amx_bf16", cpu.X86.HasAMXBF16},
		{"asimd", cpu.ARM64.HasASIMD}, {"asimddp", cpu.ARM64.HasASIMDDP}, {"sve", cpu.ARM64.HasSVE},
	} {
		if f.has {
			flags = append(flags, f.name)
		}
	}
	return flags
}
