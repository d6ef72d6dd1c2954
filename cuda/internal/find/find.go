// Package find looks for shared libraries at run time, in the places where NVIDIA's are installed: the toolkit, the system's
// folders, and the folders of Python wheels.
package find

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Library says what is looked for.
type Library struct {
	Name     string   // "cuDNN"; the variable STHENO_CUDNN_PATH, a file or a folder, names the one to take
	Sonames  []string // names of the file, the preferred first
	Siblings []string // files that must lie in the folder of the file for it to be loaded at all
	// MaxMajor, unless 0, is the greatest major version that suits the machine; files with a greater one in their soname are
	// tried last. An NVRTC newer than the driver, for example, writes PTX that the driver cannot load (its cubins do load).
	MaxMajor int
	Remedy   string // what to do when there is none: "pip install nvidia-cudnn-cu12"
}

// The libraries of the engine. The names without a version come last: they are what developers' packages install.
var (
	NVRTC    = Library{Name: "NVRTC", Sonames: []string{"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"}, Remedy: "install the CUDA toolkit, or: pip install nvidia-cuda-nvrtc-cu12"}
	CUBLASLt = Library{Name: "cuBLASLt", Sonames: []string{"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"}, Remedy: "install the CUDA toolkit, or: pip install nvidia-cublas-cu12"}
	// CuDNN is a shim that loads its siblings by name: parts of two versions do not work together, and without its siblings the
	// shim ends the process.
	CuDNN = Library{Name: "cuDNN", Sonames: []string{"libcudnn.so.9", "libcudnn.so"}, Siblings: []string{
		"libcudnn_graph.so.9", "libcudnn_ops.so.9", "libcudnn_cnn.so.9", "libcudnn_adv.so.9", "libcudnn_heuristic.so.9",
		"libcudnn_engines_precompiled.so.9", "libcudnn_engines_runtime_compiled.so.9",
	}, Remedy: "install cuDNN 9, or: pip install nvidia-cudnn-cu12"}
)

// Env is the environment variable that names the library to take.
func (l Library) Env() string { return "STHENO_" + strings.ToUpper(l.Name) + "_PATH" }

// NotFound says that no file could be loaded.
type NotFound struct {
	Library Library
	Tried   []string // files that could not be loaded and why
	Places  []string // folders that have none
}

// maxShown bounds what an error lists: search paths can be very long.
const maxShown = 12

func (e *NotFound) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cuda: %s was not found: want %s", e.Library.Name, strings.Join(e.Library.Sonames, " or "))
	list(&b, "tried", e.Tried)
	list(&b, "not in", e.Places)
	fmt.Fprintf(&b, "\n    %s; or set %s to its file or folder", e.Library.Remedy, e.Library.Env())
	return b.String()
}

func list(b *strings.Builder, title string, lines []string) {
	for i, line := range lines {
		if i == maxShown {
			fmt.Fprintf(b, "\n    %s %d more", title, len(lines)-i)
			return
		}
		fmt.Fprintf(b, "\n    %s %s", title, line)
	}
}

// Load calls open with one file after the other until it succeeds, and returns what open returned and the file. The last is a
// bare soname, for the dynamic linker's own search, unless the library needs siblings. If the environment names a library, no
// other is tried. The error is a *NotFound.
func Load[T any](m Machine, l Library, open func(file string) (T, error)) (T, string, error) {
	files, e := m.files(l)
	for _, file := range files {
		x, err := open(file)
		if err == nil {
			return x, file, nil
		}
		e.Tried = append(e.Tried, fmt.Sprintf("%s: %v", file, err))
	}
	var none T
	return none, "", e
}

// files lists the files to try, and begins the error with what is already known to be wrong.
func (m Machine) files(l Library) ([]string, *NotFound) {
	e := &NotFound{Library: l}
	var files, late []string
	seen := map[string]bool{}
	add := func(soname, file string) {
		real, err := filepath.EvalSymlinks(m.path(file))
		if err != nil || seen[real] {
			return
		}
		seen[real] = true
		if missing := m.missing(l, filepath.Dir(file), filepath.Dir(real)); missing != "" {
			e.Tried = append(e.Tried, fmt.Sprintf("%s: its companion %s is missing there", file, missing))
			return
		}
		if major := majorOf(soname, real); l.MaxMajor > 0 && major > l.MaxMajor {
			late = append(late, file)
			return
		}
		files = append(files, file)
	}
	if given := m.Getenv(l.Env()); given != "" {
		folder := m.isFolder(given)
		for _, soname := range l.Sonames {
			if folder {
				add(soname, filepath.Join(given, soname))
			}
		}
		if !folder {
			add(filepath.Base(given), given)
		}
		if len(files)+len(late)+len(e.Tried) == 0 {
			e.Places = []string{l.Env() + "=" + given}
		}
		return append(files, late...), e
	}
	for _, folder := range m.folders() {
		before := len(files) + len(late) + len(e.Tried)
		for _, soname := range l.Sonames {
			add(soname, filepath.Join(folder, soname))
		}
		if len(files)+len(late)+len(e.Tried) == before {
			e.Places = append(e.Places, folder)
		}
	}
	files = append(files, late...)
	if len(l.Siblings) == 0 {
		files = append(files, l.Sonames...)
	}
	return files, e
}

// missing is the first sibling that is in neither folder, "" if all are there. A file may be reached through a link in a
// folder of links; the dynamic linker looks beside the link and, through $ORIGIN, beside the file.
func (m Machine) missing(l Library, folder, real string) string {
	for _, s := range l.Siblings {
		if _, err := os.Stat(m.path(filepath.Join(folder, s))); err == nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(real, s)); err != nil {
			return s
		}
	}
	return ""
}

var major = regexp.MustCompile(`\.so\.(\d+)`)

// majorOf is the major version in a soname or, if it has none, in the name of the file that it is a link to; 0 if neither has.
func majorOf(soname, real string) int {
	for _, name := range []string{soname, filepath.Base(real)} {
		if m := major.FindStringSubmatch(name); m != nil {
			n, _ := strconv.Atoi(m[1])
			return n
		}
	}
	return 0
}
