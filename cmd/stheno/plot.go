package main

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/internal/atomicfile"
	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/nn"
)

func newPlot() *cobra.Command {
	var n network
	var o nn.PlotOptions
	var format, file string
	formats := []string{"svg", "dot"}
	cmd := &cobra.Command{
		Use:   "plot NETWORK",
		Short: "Draw a network's layers, as keras.utils.plot_model does",
		Long: `Draw a network's layers, as keras.utils.plot_model does.
NETWORK is an architecture, or a file that holds a network: a model saved whole by Keras (.keras, .h5), ONNX, a checkpoint, or the folder
of a run. The flags that describe a network are for architectures; where a file leaves the images' size open, --input says it.

The architectures are
` + architectures(),
		Args: oneNetwork,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("format") && file != "" {
				format = strings.TrimPrefix(strings.ToLower(filepath.Ext(file)), ".")
			}
			if format != "svg" && format != "dot" {
				return fmt.Errorf("pictures of networks are svg or dot, not %q%s; name one with --format", format, suggest.Phrase(format, formats))
			}
			m, err := n.named(cmd.Flags(), args[0])
			if err != nil {
				return err
			}
			draw := m.WriteSVG
			if format == "dot" {
				draw = m.WriteDOT
			}
			if file == "" {
				return draw(cmd.OutOrStdout(), o)
			}
			var picture bytes.Buffer
			if err := draw(&picture, o); err != nil {
				return err
			}
			err = atomicfile.WriteFile(file, func(w io.Writer) error {
				_, err := w.Write(picture.Bytes())
				return err
			})
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "wrote %s\n", file)
			}
			return err
		},
	}
	f := cmd.Flags()
	n.flags(f)
	f.BoolVar(&o.ExpandNested, "expand-nested", false, "with the layers of models that are layers")
	f.IntVar(&n.Batch, "batch", 0, "batch size in the shapes (0: None)")
	f.BoolVar(&o.HideShapes, "hide-shapes", false, "without shapes")
	f.BoolVar(&o.HideParams, "hide-params", false, "without numbers of parameters")
	f.BoolVar(&o.HideNames, "hide-names", false, "classes of layers only")
	f.BoolVar(&o.Activations, "show-activations", false, "with the layers' activations")
	f.StringVar(&format, "format", "svg", strings.Join(formats, ", ")+" (for Graphviz); by default what the name of --output ends with")
	f.StringVar(&file, "output", "", "file to write instead of standard output")
	return cmd
}
