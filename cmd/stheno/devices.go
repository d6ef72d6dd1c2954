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
		Long: `List the devices that can train: the CPU and the NVIDIA GPUs, or why there is none, or why one cannot be used.

With --verbose also the libraries that the CUDA engine looks for when it runs: their versions and places, or what was tried.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := cmd.OutOrStdout()
			e, err := device{name: "cpu"}.open(cmd.Context(), notesTo(cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			fmt.Fprintln(w, describeEngine(e))
			listGPUs(w, cuda.Devices, usable)
			if verbose && cuda.Built {
				listLibraries(w, cuda.Libraries())
			}
			return e.Close()
		},
	}
	cmd.Flags().BoolVar(&verbose, "verbose", false, "also the libraries of the CUDA engine")
	return cmd
}

// usable tries to open the engine on a GPU.
func usable(ordinal int) error {
	e, err := cuda.New(cuda.Config{Device: ordinal})
	if err != nil {
		return err
	}
	return e.Close()
}

// listGPUs prints a line a GPU, or why there is none.
func listGPUs(w io.Writer, devices func() ([]cuda.Device, error), usable func(ordinal int) error) {
	gpus, err := devices()
	for _, d := range gpus {
		free, cannot := "an unknown part", ""
		if d.Free >= 0 {
			free = memory(int(d.Free))
		}
		if err := usable(d.Ordinal); err != nil {
			cannot = "; cannot be used: " + strings.TrimPrefix(firstLine(err), "cuda: ")
		}
		fmt.Fprintf(w, "cuda:%d is %s, compute capability %d.%d, %d multiprocessors, %s of %s free, driver for CUDA %s, %s%s\n",
			d.Ordinal, d.Name, d.Major, d.Minor, d.Multiprocessors, free, memory(int(d.Memory)), d.Driver, d.UUID, cannot)
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
		version, path, purpose := l.Version, l.Path, l.Purpose
		if l.Path == "" {
			version, path = "missing", "-"
		}
		if l.Unused != "" {
			purpose = "not used, as " + l.Unused + " asks"
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", l.Name, version, path, purpose)
	}
	table.Flush() // an error of w is reported by whoever made it
	for _, l := range libraries {
		if l.Err != nil && l.Unused == "" {
			fmt.Fprintf(w, "  %s: %s\n", l.Name, strings.ReplaceAll(l.Err.Error(), "\n", "\n    "))
		}
	}
}

// notesTo prints lines for the user to w.
func notesTo(w io.Writer) func(line string) {
	return func(line string) { fmt.Fprintln(w, "note:", line) }
}
