package main

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
)

// noArgs refuses arguments with the flag that was probably meant.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes flags only, got %q; see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

func changedFlags(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().Visit(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}

// openEngine opens a device; "auto" is the fastest there is.
func openEngine(device string, threads int) (graph.Engine, error) {
	if device == "auto" {
		device = "cpu"
	}
	if device == "null" {
		return nil, errors.New("device null only plans; use auto or cpu")
	}
	return graph.Open(device, graph.Config{Threads: threads})
}

func describeEngine(e graph.Engine) string {
	if c, ok := e.(*cpu.Engine); ok {
		return fmt.Sprintf("cpu with %d threads, %s kernels", c.Threads(), c.Level())
	}
	return e.Name()
}

// imagesOf is the number of images used under a limit.
func imagesOf(ds *data.Dataset, limit int) int {
	if limit > 0 {
		return min(limit, ds.Len())
	}
	return ds.Len()
}

// thousands prints 325956 as 325,956.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }
