package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/nn"
)

func newSummary() *cobra.Command {
	var input, format, layout string
	var c arch.Config
	formats := []string{"keras", "json"}
	cmd := &cobra.Command{
		Use:   "summary ARCH",
		Short: "Print a network's layers, shapes and parameters as Keras does",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("summary wants one architecture: %s", strings.Join(arch.Names(), ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			shape, err := parseInput(input)
			if err != nil {
				return err
			}
			c.Input = shape
			if c.Classes < 1 || c.Batch < 0 {
				return fmt.Errorf("--classes wants at least 1 and --batch at least 0, got %d and %d", c.Classes, c.Batch)
			}
			switch layout {
			case "channels_last":
			case "channels_first":
				c.DataFormat = nn.ChannelsFirst
			default:
				return fmt.Errorf("unknown data format %q%s; use channels_last or channels_first", layout,
					suggest.Phrase(layout, []string{"channels_last", "channels_first"}))
			}
			a, err := arch.ByName(args[0], c)
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
	f.StringVar(&input, "input", "32x32x3", "rows x columns x channels of an image")
	f.IntVar(&c.Classes, "classes", 100, "number of classes")
	f.IntVar(&c.Batch, "batch", 0, "batch size in the output shapes (0: None)")
	f.StringVar(&format, "format", "keras", strings.Join(formats, ", "))
	f.StringVar(&layout, "data-format", "channels_last", "channels_last, channels_first")
	f.BoolVar(&c.BatchNorm, "batch-norm", false, "vgg16: batch normalization after every convolution (plain VGG-16 hardly starts to learn without it)")
	f.Float64Var(&c.Dropout, "dropout", 0, "vgg16: dropout rate of the dense layers")
	f.BoolVar(&c.RescaleInputs, "rescale-inputs", false, "resnet50: images of 0 to 1 are rescaled to 0 to 255 minus the ImageNet means")
	return cmd
}

// parseInput reads "32x32x3".
func parseInput(s string) (nn.Shape, error) {
	parts := strings.Split(strings.ToLower(s), "x")
	shape := make(nn.Shape, 0, 3)
	for _, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("--input %q: want rows x columns x channels, such as 32x32x3", s)
		}
		shape = append(shape, n)
	}
	if len(shape) != 3 {
		return nil, fmt.Errorf("--input %q: want three sizes, such as 32x32x3, got %d", s, len(shape))
	}
	return shape, nil
}
