package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/cuda"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintln(cmd.OutOrStdout(), versionLine())
			return nil
		},
	}
}

// versionLine is what the command and the flag of that name print.
func versionLine() string {
	engine := "without the CUDA engine"
	if cuda.Built {
		engine = "with the CUDA engine"
	}
	return fmt.Sprintf("stheno %s %s %s/%s %s", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, engine)
}

// version is the module's version, or "(devel)" and the revision of a checkout where Go recorded one.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v += " " + s.Value
		}
	}
	return v
}
