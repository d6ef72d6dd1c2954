// Package sim is a simulated CUDA for tests: libraries named as NVIDIA's, written in C++, which run kernels on the CPU. README.md
// says what it checks and what it cannot prove. Only tests import this package.
package sim

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed src
var sources embed.FS

// ErrNoCompiler is the error of Build on a machine without g++.
var ErrNoCompiler = errors.New("sim: g++ was not found; install it, or name a compiler in CXX")

// Build compiles the libraries into a folder, made if need be: libcuda.so.1, libnvrtc.so.12 and those beside them. It does
// nothing if the folder holds those of the same sources. Processes may build into one folder at the same time.
func Build(dir string) error {
	compiler := os.Getenv("CXX")
	if compiler == "" {
		compiler = "g++"
	}
	if _, err := exec.LookPath(compiler); err != nil {
		return ErrNoCompiler
	}
	src, err := os.MkdirTemp("", "stheno-sim-src-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(src)
	err = fs.WalkDir(sources, "src", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := sources.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(src, d.Name()), b, 0o600)
	})
	if err != nil {
		return err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	out, err := exec.Command("sh", filepath.Join(src, "build.sh"), dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("sim: building the simulated libraries with %s: %w\n%s", compiler, err, out)
	}
	return nil
}
