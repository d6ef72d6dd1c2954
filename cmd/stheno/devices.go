package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/cuda"
)

func newDevices() *cobra.Command {
	var verbose bool
	cmd := &cobra.Command{
		Use:   "devices",
		Short: "List the devices that can train",
		Long: `List the devices that can train: the CPU and the NVIDIA GPUs, or why there is none.

With --verbose also the libraries that the CUDA engine looks for when it runs: their versions and places, or what was tried.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := cmd.OutOrStdout()
			e, err := device{name: "cpu"}.open(notesTo(cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			fmt.Fprintln(w, describeEngine(e))
			listGPUs(w, cuda.Devices)
			if verbose && cuda.Built {
				listLibraries(w, cuda.Libraries())
			}
			return e.Close()
		},
	}
	cmd.Flags().BoolVar(&verbose, "verbose", false, "also the libraries of the CUDA engine")
	return cmd
}

// listGPUs prints a line a GPU, or why there is none.
func listGPUs(w io.Writer, devices func() ([]cuda.Device, error)) {
	gpus, err := devices()
	for _, d := range gpus {
		free := "an unknown part"
		if d.Free >= 0 {
			free = memory(int(d.Free))
		}
		fmt.Fprintf(w, "cuda:%d is %s, compute capability %d.%d, %d multiprocessors, %s of %s free, driver for CUDA %s, %s\n",
			d.Ordinal, d.Name, d.Major, d.Minor, d.Multiprocessors, free, memory(int(d.Memory)), d.Driver, d.UUID)
	}
	switch {
	case err != nil:
		fmt.Fprintf(w, "no GPU: %v\n", err)
	case len(gpus) == 0:
		fmt.Fprintln(w, "no GPU: the driver lists none")
	}
}

// listLibraries prints what was found of the libraries, and how the search for the others went.
func listLibraries(w io.Writer, libraries []cuda.Library) {
	fmt.Fprintln(w, "\nlibraries of the CUDA engine:")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range libraries {
		version, path := l.Version, l.Path
		if l.Path == "" {
			version, path = "missing", "-"
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", l.Name, version, path, l.Purpose)
	}
	table.Flush() // an error of w is reported by whoever made it
	for _, l := range libraries {
		if l.Err != nil {
			fmt.Fprintf(w, "  %s: %s\n", l.Name, strings.ReplaceAll(l.Err.Error(), "\n", "\n    "))
		}
	}
}

// notesTo prints lines for the user to w.
func notesTo(w io.Writer) func(line string) {
	return func(line string) { fmt.Fprintln(w, "note:", line) }
}
