package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/train"
)

// lossFlags are those of what training minimises.
func lossFlags(f *pflag.FlagSet, c *train.Config) {
	f.StringVar(&c.Loss, "loss", c.Loss, "loss: "+strings.Join(train.Losses(), ", ")+"; the latter has the options alpha and gamma, as in "+
		train.Losses()[1]+":gamma=1.5 (default "+train.Losses()[0]+")")
	f.Float64Var(&c.LabelSmoothing, "label-smoothing", c.LabelSmoothing, "give this share of every target to all classes alike (0: not)")
	f.Var((*classWeight)(&c.ClassWeight), "class-weight", "weight of each class in the loss: balanced, numbers with commas between them, or @FILE with a number for each class")
}

// classWeight is a flag whose value may be in a file.
type classWeight string

// String implements pflag.Value.
func (c *classWeight) String() string { return string(*c) }

// Type implements pflag.Value.
func (c *classWeight) Type() string { return "string" }

// Set implements pflag.Value.
func (c *classWeight) Set(text string) error {
	name, ok := strings.CutPrefix(text, "@")
	if !ok {
		*c = classWeight(text)
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	const most = 1 << 20
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if len(content) > most {
		return fmt.Errorf("%s has more than %d bytes; it should hold a number for each class", name, most)
	}
	numbers := strings.FieldsFunc(string(content), func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
	if len(numbers) == 0 {
		return fmt.Errorf("%s is empty; it should hold a number for each class", name)
	}
	*c = classWeight(strings.Join(numbers, ","))
	return nil
}
