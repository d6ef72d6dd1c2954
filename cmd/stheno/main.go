// Command stheno trains, evaluates and uses image classifiers that are built as Gorgonia graphs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	_ "github.com/stheno-ml/stheno/cpu" // the device "cpu"
	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/train"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		stop() // a second Ctrl-C ends the program at once
	}()
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// exitInterrupted is what shells use for a program ended by Ctrl-C.
const exitInterrupted = 130

// execute runs one command line and returns the exit status.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, train.ErrInterrupted):
		return exitInterrupted
	}
	fmt.Fprintln(stderr, "error:", err)
	return 1
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "stheno",
		Short:         "Train image classifiers built as Gorgonia graphs",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return fmt.Errorf("unknown command %q%s; see %s --help", args[0], suggest.Phrase(args[0], commandNames(cmd)), cmd.CommandPath())
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newTrain(), newEval(), newPredict(), newSummary(), newData(), newDevices(), newVersion())
	return root
}

func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return names
}

// flagError adds the nearest flag to cobra's message about an unknown one.
func flagError(cmd *cobra.Command, err error) error {
	return fmt.Errorf("%w%s; see %s --help", err, suggestFlag(cmd, err.Error()), cmd.CommandPath())
}
