package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/nn"
)

func newSummary() *cobra.Command {
	var n network
	var format string
	var o nn.SummaryOptions
	styles := map[string]nn.SummaryStyle{"keras": nn.StyleTF24, "keras2": nn.StyleKeras2, "keras3": nn.StyleKeras3}
	formats := []string{"keras", "keras2", "keras3", "json"}
	cmd := &cobra.Command{
		Use:   "summary NETWORK",
		Short: "Print a network's layers, shapes and parameters as Keras does",
		Long: `Print a network's layers, shapes and parameters as Keras does.
NETWORK is an architecture, or a file that holds a network: a model saved whole by Keras (.keras, .h5), ONNX, a checkpoint, or the folder
of a run. The flags that describe a network are for architectures; where a file leaves the images' size open, --input says it.

The architectures are
` + architectures(),
		Args: oneNetwork,
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := n.named(cmd.Flags(), args[0])
			if err != nil {
				return err
			}
			if format == "json" {
				text, err := m.SummaryJSON()
				if err == nil {
					_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSpace(string(text)))
				}
				return err
			}
			style, ok := styles[format]
			if !ok {
				return fmt.Errorf("unknown format %q%s", format, suggest.Then(format, formats, "use "+strings.Join(formats, ", ")))
			}
			if style == nn.StyleTF24 && o.ShowTrainable {
				return errors.New("--show-trainable goes with --format keras2 or keras3")
			}
			if style == nn.StyleTF24 && o.ExpandNested {
				return errors.New("--expand-nested goes with --format keras2 or keras3")
			}
			o.Style = style
			return m.WriteSummary(cmd.OutOrStdout(), o)
		},
	}
	f := cmd.Flags()
	n.flags(f)
	f.BoolVar(&o.ExpandNested, "expand-nested", false, "with the layers of models that are layers (keras2, keras3)")
	f.IntVar(&n.Batch, "batch", 0, "batch size in the output shapes (0: None)")
	f.StringVar(&format, "format", "keras", strings.Join(formats, ", ")+": keras is TensorFlow 2.4's text, keras2 that of later 2.x")
	f.BoolVar(&o.ShowTrainable, "show-trainable", false, "keras2, keras3: a column that says which layers are trained")
	f.IntVar(&o.LineLength, "line-length", 0, "characters a line (0: Keras's own)")
	return cmd
}
