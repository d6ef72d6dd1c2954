package find

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Machine is where Load looks. The zero Root is the file system; tests look below a folder.
type Machine struct {
	Root   string
	Dir    string // the working folder, to which relative folders of the environment belong; "" leaves them out
	Getenv func(name string) string
}

// Host is the machine that the program runs on.
func Host() Machine {
	dir, err := os.Getwd()
	if err != nil {
		dir = "" // a folder that was deleted has nothing to find either
	}
	return Machine{Dir: dir, Getenv: os.Getenv}
}

func (m Machine) path(file string) string { return filepath.Join(m.Root, file) }

func (m Machine) isFolder(path string) bool {
	info, err := os.Stat(m.path(path))
	return err == nil && info.IsDir()
}

// glob lists the folders that match a pattern, the greatest version first.
func (m Machine) glob(pattern string) []string {
	found, _ := filepath.Glob(m.path(pattern)) // the patterns are good
	slices.SortStableFunc(found, func(a, b string) int { return -byVersion(a, b) })
	for i, f := range found {
		if m.Root != "" {
			f = strings.TrimPrefix(f, filepath.Clean(m.Root))
		}
		found[i] = f
	}
	return found
}

// folders lists the folders that exist and may hold libraries, in the order of preference, each once.
func (m Machine) folders() []string {
	var out []string
	seen := map[string]bool{}
	add := func(folders ...string) {
		for _, f := range folders {
			if f == "" {
				continue
			}
			if !filepath.IsAbs(f) && m.Dir != "" {
				f = filepath.Join(m.Dir, f)
			}
			if !filepath.IsAbs(f) || !m.isFolder(f) {
				continue
			}
			real, err := filepath.EvalSymlinks(m.path(f))
			if err == nil && !seen[real] {
				seen[real] = true
				out = append(out, filepath.Clean(f))
			}
		}
	}
	triple, target := triples()
	toolkit := func(home string) {
		if home != "" {
			add(filepath.Join(home, "lib64"), filepath.Join(home, "targets", target, "lib"), filepath.Join(home, "lib"))
		}
	}

	add(filepath.SplitList(m.Getenv("LD_LIBRARY_PATH"))...)
	for _, name := range []string{"CUDA_HOME", "CUDA_PATH"} {
		toolkit(m.Getenv(name))
	}
	toolkit("/usr/local/cuda")
	for _, home := range m.glob("/usr/local/cuda-*") {
		toolkit(home)
	}
	// An environment that is active was chosen by the user, so it goes before what the system has.
	if env := m.Getenv("VIRTUAL_ENV"); env != "" {
		add(m.wheels(env)...)
	}
	if env := m.Getenv("CONDA_PREFIX"); env != "" {
		toolkit(env)
		add(m.wheels(env)...)
	}
	add(m.linkerFolders()...)
	add("/usr/lib/"+triple, "/lib/"+triple, "/usr/lib64", "/lib64", "/usr/local/lib", "/usr/lib")
	for _, bin := range filepath.SplitList(m.Getenv("PATH")) { // of each Python that a shell would find
		if _, err := os.Stat(m.path(filepath.Join(bin, "python3"))); err == nil {
			add(m.wheels(filepath.Dir(bin))...)
		}
	}
	if home := m.Getenv("HOME"); home != "" {
		add(m.wheels(filepath.Join(home, ".local"))...)
	}
	for _, prefix := range append([]string{"/usr/local", "/usr"}, m.glob("/opt/*")...) {
		add(m.wheels(prefix)...)
	}
	return out
}

// wheels lists the folders of libraries that NVIDIA's wheels install below a Python prefix: a folder a library up to CUDA 12
// (nvidia/cudnn/lib), one for all since CUDA 13 (nvidia/cu13/lib).
func (m Machine) wheels(prefix string) []string {
	var out []string
	for _, lib := range []string{"lib", "lib64"} {
		for _, packages := range []string{"site-packages", "dist-packages"} {
			out = append(out, m.glob(filepath.Join(prefix, lib, "python3*", packages, "nvidia", "*", "lib"))...)
		}
	}
	return out
}

// linkerFolders lists the folders that the dynamic linker is configured to search.
func (m Machine) linkerFolders() []string {
	var out []string
	for _, conf := range append([]string{"/etc/ld.so.conf"}, m.glob("/etc/ld.so.conf.d/*.conf")...) {
		text, err := os.ReadFile(m.path(conf))
		if err != nil {
			continue // most machines lack one or the other
		}
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(line, "#")
			out = append(out, strings.TrimSpace(line)) // "include" lines are not absolute paths
		}
	}
	return out
}

// triples are the names that Debian and the CUDA toolkit give the machine's architecture.
func triples() (debian, cuda string) {
	if runtime.GOARCH == "arm64" {
		return "aarch64-linux-gnu", "sbsa-linux"
	}
	return "x86_64-linux-gnu", "x86_64-linux"
}

var numbers = regexp.MustCompile(`\d+`)

// byVersion compares names with numbers in them: cuda-12.9 is before cuda-12.10.
func byVersion(a, b string) int {
	na, nb := numbers.FindAllString(a, -1), numbers.FindAllString(b, -1)
	for i := range min(len(na), len(nb)) {
		x, _ := strconv.Atoi(na[i])
		y, _ := strconv.Atoi(nb[i])
		if x != y {
			return x - y
		}
	}
	return strings.Compare(a, b)
}
