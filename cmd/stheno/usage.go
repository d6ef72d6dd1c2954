package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/nn"
)

// onlyCommands is for commands that only hold others: an argument is a command that does not exist.
func onlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return fmt.Errorf("unknown command %q%s", args[0], suggest.Then(args[0], names, "see "+cmd.CommandPath()+" --help"))
}

// oneRecipe takes one argument, or none.
func oneRecipe(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("recipes wants the name of one recipe, or none, got %d", len(args))
	}
	return nil
}

// noArgs refuses arguments of commands that take flags only.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		if f := cmd.Flags().Lookup("profile"); f != nil && f.Changed {
			return fmt.Errorf("%s takes flags only, got %q; a file for the profile is --profile=%s", cmd.CommandPath(), args[0], args[0])
		}
		if f := cmd.Flags().Lookup("tensorboard"); f != nil && f.Changed {
			return fmt.Errorf("%s takes flags only, got %q; a folder for TensorBoard is --tensorboard=%s", cmd.CommandPath(), args[0], args[0])
		}
		if f := cmd.Flags().Lookup("ema"); f != nil && f.Changed {
			if _, err := strconv.ParseFloat(args[0], 64); err == nil {
				return fmt.Errorf("%s takes flags only, got %q; a momentum of the averages is --ema=%s", cmd.CommandPath(), args[0], args[0])
			}
		}
		return fmt.Errorf("%s takes flags only, got %q; see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

// valueKinds are pflag's types in words.
var valueKinds = map[string]string{"intSlice": "whole numbers with commas between them", "int": "a whole number", "uint64": "a whole number from 0",
	"float64": "a number such as 0.01", "float32Slice": "numbers with commas between them, such as 0.485,0.456,0.406", "bool": "true or false",
	"bytes": "an amount of memory such as 512MiB or 2GiB"}

// otherNames are what other programs, or other commands of this one, call flags.
var otherNames = map[string]string{"learning-rate": "lr", "initial-lr": "lr", "base-lr": "lr", "max-lr": "lr", "batch-size": "batch", "bs": "batch", "wd": "weight-decay",
	"smoothing": "label-smoothing", "scheduler": "schedule", "lr-schedule": "schedule", "lr-scheduler": "schedule", "learning-rate-schedule": "schedule",
	"opt": "optimizer", "model": "arch", "network": "arch", "dataset": "data", "num-epochs": "epochs", "n-epochs": "epochs", "max-epochs": "epochs",
	"mixup-alpha": "mixup", "gradient-accumulation": "accumulate", "accumulation-steps": "accumulate", "grad-clip": "global-clip-norm", "clip-grad-norm": "global-clip-norm",
	"workers": "threads", "standardize": "standardise", "normalize": "standardise", "amp": "precision", "output": "out", "output-dir": "out", "image-size": "size",
	"size": "input", "input": "size"}

// nearestFlag is the flag of names that someone means who wrote name, "" where none is likely.
func nearestFlag(name string, names []string) string {
	if near := otherNames[strings.ReplaceAll(strings.ToLower(name), "_", "-")]; slices.Contains(names, near) {
		return near
	}
	return suggest.Nearest(name, names)
}

// didYouMean is the end of an error message about a name that is that of no flag, with what else there is to say.
func didYouMean(name string, names []string, rest string) string {
	if near := nearestFlag(name, names); near != "" {
		return fmt.Sprintf("; did you mean %q? %s", near, suggest.Sentence(rest))
	}
	return "; " + rest
}

// flagError makes pflag's errors name the nearest flag, and values without the names of Go's functions.
func flagError(cmd *cobra.Command, err error) error {
	text, see := err.Error(), "; see "
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		name := unknown.GetSpecifiedName()
		if all := unknown.GetSpecifiedShortnames(); len(all) > 1 { // a name behind one dash, as Go's own package has them
			name, _, _ = strings.Cut(all, "=")
		}
		if near := nearestFlag(name, names); near != "" {
			text, see = text+"; did you mean --"+near+"?", " See "
		} else if cmd.Name() == "tune" && unknown.GetSpecifiedName() == "device" {
			text += "; it measures the CPU, and --tuning measure of train, eval and bench a GPU"
		}
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		text = "--" + invalidValue(invalid)
	}
	return fmt.Errorf("%s%s%s --help", text, see, cmd.CommandPath())
}

// invalidValue says what is wrong with a flag's value, without the names of Go's functions.
func invalidValue(err *pflag.InvalidValueError) string {
	f := err.GetFlag()
	kind := "a value of type " + f.Value.Type()
	if words := valueKinds[f.Value.Type()]; words != "" {
		kind = words
	}
	text := fmt.Sprintf("%s wants %s, got %q", f.Name, kind, err.GetValue())
	if errors.Is(err, strconv.ErrRange) {
		text += ", which is out of range"
	}
	if file, ok := errors.AsType[*flagFileError](err); ok {
		text = fmt.Sprintf("%s: %v", f.Name, file)
	}
	return text
}

// parts are the errors that errors.Join made one, or err alone: each is a message of its own.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var texts []string
	for _, e := range joined.Unwrap() {
		texts = append(texts, e.Error())
	}
	if err.Error() != strings.Join(texts, "\n") {
		return []error{err} // it has words of its own
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, parts(e)...)
	}
	return all
}

// optionFlags are the flags for the fields of arch.Config.
var optionFlags = map[string]string{"BatchNorm": "batch-norm", "Dropout": "dropout", "NoL2": "no-l2", "RescaleInputs": "rescale-inputs",
	"Stem": "stem", "Version": "resnet-version", "Shortcuts": "shortcuts",
	"SymmetricPadding": "symmetric-padding", "BatchNormEpsilon": "batch-norm-epsilon", "BatchNormDecay": "batch-norm-momentum", "Head": "head"}

// driverCall is the call of CUDA's driver that an error names.
var driverCall = regexp.MustCompile(`cuda: cu[A-Z]\w*: `)

// distinct are the texts of errors of cmd, without those that say what another has said: when a GPU is lost, every call that comes
// later fails in the same way.
func distinct(cmd *cobra.Command, errs []error) (texts []string) {
	var said []string
	for _, err := range errs {
		text := inFlags(cmd, err)
		what := driverCall.ReplaceAllString(text, "")
		if slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, what) }) {
			continue
		}
		texts, said = append(texts, text), append(said, what)
	}
	return texts
}

// inFlags is the text of an error of cmd for those who see flags and not Go: options are called by their flags, and the
// line of this program where a layer was added is left out.
func inFlags(cmd *cobra.Command, err error) string {
	if wrong, ok := errors.AsType[*arch.OptionError](err); ok && optionFlags[wrong.Option] != "" {
		text := fmt.Sprintf("%s has no --%s; leave it out", wrong.Arch, optionFlags[wrong.Option])
		var flags []string
		for _, o := range wrong.Options {
			if name := optionFlags[o]; name != "" && cmd.Flags().Lookup(name) != nil {
				flags = append(flags, "--"+name)
			}
		}
		if len(flags) > 0 {
			text += "; its options are " + strings.Join(flags, ", ")
		}
		return text
	}
	text := err.Error()
	if described, ok := errors.AsType[*nn.Error](err); ok && described.Site != "" {
		text = strings.ReplaceAll(text, "\n    at "+described.Site, "")
	}
	for _, other := range []string{"bench", "train"} { // packages, whose names are those of commands
		if rest, ok := strings.CutPrefix(text, other+": "); ok && cmd.Name() != other {
			text = rest
		}
	}
	return byName(text)
}
