package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/internal/suggest"
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
	return fmt.Errorf("unknown command %q%s; see %s --help", args[0], suggest.Phrase(args[0], names), cmd.CommandPath())
}

// noArgs refuses arguments of commands that take flags only.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes flags only, got %q; see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

// flagError makes pflag's errors name the nearest flag, and values without the names of Go's functions.
func flagError(cmd *cobra.Command, err error) error {
	text := err.Error()
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := suggest.Nearest(unknown.GetSpecifiedName(), names); near != "" {
			text += "; did you mean --" + near + "?"
		}
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		text = fmt.Sprintf("--%s wants a value of type %s, got %q", invalid.GetFlag().Name, invalid.GetFlag().Value.Type(), invalid.GetValue())
		if errors.Is(err, strconv.ErrRange) {
			text += ", which is out of range"
		}
	}
	return fmt.Errorf("%s; see %s --help", text, cmd.CommandPath())
}
