// Command stheno trains, evaluates and uses image classifiers that are built as Gorgonia graphs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/train"
)

func main() {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	said := make(chan struct{})
	go func() {
		<-ctx.Done()
		stop() // gives the signals their usual effect again
		fmt.Fprintln(os.Stderr, "stopping; Ctrl-C again ends at once")
		close(said)
	}()
	programName = nameOf(os.Args[0])
	status := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if ctx.Err() != nil {
		<-said // a command may end sooner than the line is written
	}
	os.Exit(status)
}

// exitInterrupted is what shells use for a program ended by Ctrl-C.
const exitInterrupted = 130

// execute runs one command line and returns the exit status.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	out := &output{to: stdout}
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil && out.err != nil {
		err = fmt.Errorf("the output could not be written: %w", out.err)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, train.ErrInterrupted):
		return exitInterrupted // the command said what there is to say
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		fmt.Fprintln(stderr, "interrupted")
		return exitInterrupted
	}
	for _, text := range distinct(cmd, parts(err)) {
		fmt.Fprintln(stderr, "error:", printable(text))
	}
	return 1
}

// printable shows characters that terminals obey, such as Escape, as Go writes them: errors quote files of unknown origin.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// output is the standard output of commands, which print to it without looking at errors: execute reports the first.
type output struct {
	to  io.Writer
	err error
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "stheno",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: programName},
		Version:       versionLine(),
		Short:         "Train image classifiers built as Gorgonia graphs",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          onlyCommands,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newTrain(), newRecipes(), newEval(), newPredict(), newConvert(), newSummary(), newPlot(), newExplain(), newBench(), newGradients(), newTune(), newData(), newDevices(), newVersion())
	return root
}
