package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/internal/suggest"
)

// suggestFlag returns " (did you mean --x?)" for pflag's complaint about an unknown flag, else "".
func suggestFlag(cmd *cobra.Command, message string) string {
	_, name, ok := strings.Cut(message, "unknown flag: --")
	if !ok {
		return ""
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := suggest.Nearest(name, names); near != "" {
		return " (did you mean --" + near + "?)"
	}
	return ""
}
