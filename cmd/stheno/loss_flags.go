package main

import (
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
	numbers, err := fileFields(name)
	if err != nil {
		return &flagFileError{err}
	}
	*c = classWeight(strings.Join(numbers, ","))
	return nil
}

// flagFileError says what is wrong with the file that a flag names.
type flagFileError struct{ error }

// fileFields are what spaces, line ends and commas separate in a small file.
func fileFields(name string) (fields []string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only
	const most = 1 << 20
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, err
	case len(content) > most:
		return nil, fmt.Errorf("%s has more than %d bytes; it should hold a number for each class", name, most)
	}
	fields = strings.FieldsFunc(string(content), func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
	if len(fields) == 0 {
		return nil, fmt.Errorf("%s is empty; it should hold a number for each class", name)
	}
	return fields, nil
}
