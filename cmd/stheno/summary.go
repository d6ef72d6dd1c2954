package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/nn"
)

func newSummary() *cobra.Command {
	var n network
	var format string
	formats := []string{"keras", "json"}
	cmd := &cobra.Command{
		Use:   "summary ARCH",
		Short: "Print a network's layers, shapes and parameters as Keras does",
		Args:  oneArchitecture,
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := n.architecture(args[0])
			if err != nil {
				return err
			}
			m, err := a.Model()
			if err != nil {
				return err
			}
			switch format {
			case "keras":
				return m.WriteSummary(cmd.OutOrStdout(), nn.SummaryOptions{})
			case "json":
				text, err := m.SummaryJSON()
				if err == nil {
					_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSpace(string(text)))
				}
				return err
			}
			return fmt.Errorf("unknown format %q%s; use keras or json", format, suggest.Phrase(format, formats))
		},
	}
	f := cmd.Flags()
	n.flags(f)
	f.IntVar(&n.Batch, "batch", 0, "batch size in the output shapes (0: None)")
	f.StringVar(&format, "format", "keras", strings.Join(formats, ", "))
	return cmd
}
