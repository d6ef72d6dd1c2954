// Gpu makes bench/results/gpu.md of what scripts/gpu-bench.sh measured, in one call or several, on one GPU or several:
//
//	go run ./bench/peers/gpu -out bench/results/gpu.md bench/results/gpu/*.json
//
// A later measurement of a case replaces an earlier one on the same GPU; ratios are of numbers from one GPU. What was written under
// "Notes" by hand stays.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

func main() {
	out := flag.String("out", "", "Markdown file to write; by default it goes to standard output")
	flag.Parse()
	if err := run(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "gpu:", err)
		os.Exit(1)
	}
}

func run(out string, files []string) error {
	if len(files) == 0 {
		return errors.New("no files; name those that scripts/gpu-bench.sh wrote, such as bench/results/gpu/*.json")
	}
	r := &record{}
	slices.Sort(files) // they are named by their time
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = r.read(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	text := r.document()
	if out == "" {
		_, err := fmt.Print(text)
		return err
	}
	old, err := os.ReadFile(out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(out, []byte(text+notes(string(old))), 0o644)
}

// notes is what was written by hand into an older document: everything from their title on.
func notes(old string) string {
	if i := strings.Index(old, "\n## Notes\n"); i >= 0 {
		return old[i:]
	}
	return ""
}
