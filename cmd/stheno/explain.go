package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/atomicfile"
	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/train"
)

// explain is the command of that name: what is looked at, and how it is shown.
type explain struct {
	network
	device
	train.Config // of the training step
	inference    bool
	training     bool
	compiled     bool // for an engine, which has chosen its kernels

	format, view, file string
}

var (
	explainFormats = []string{"text", "json", "dot", "svg", "passes"}
	explainViews   = []string{"plan", "graph"}
)

func newExplain() *cobra.Command {
	e := explain{Config: train.DefaultConfig()}
	cmd := &cobra.Command{
		Use:   "explain [ARCH]",
		Short: "Print what a network is compiled to: steps, kernels, memory, FLOPs",
		Long: `Print the plan of a network's training step, or with --inference of its use: every step with its kernel, the shapes of its
results, layout, bytes moved, FLOPs, the place of the results in memory and what is alive; then the totals and the peak. On a GPU
a training step begins with Augment, which makes the images of bytes, as in stheno train.

--recipe explains the step that "stheno train --recipe" trains with: its network for the images and classes of its data set, batch, loss,
optimizer, augmentation, precision. Flags, and ARCH, change what it says.

Nothing is computed, and the weights take no memory. With --device null no engine is asked: a plan without kernels, also for
networks and images that this machine has no memory for.

--format passes shows what the compiler's passes made of the graph; dot and svg draw the plan, or with --view graph the
Gorgonia graph before it. An svg is laid out by Graphviz where its command dot is installed, else by a plain renderer.`,
		Args: e.oneNetwork,
		RunE: func(cmd *cobra.Command, args []string) error {
			if e.Recipe == recipeList {
				return listRecipes(cmd.OutOrStdout())
			}
			return e.run(cmd, args)
		},
	}
	f := cmd.Flags()
	recipeFlag(f, &e.Config)
	e.network.flags(f)
	f.BoolVar(&e.NoL2, "no-l2", false, "resnet: without the L2 regularizer (1e-4)")
	f.IntVar(&e.network.Batch, "batch", e.Config.Batch, "images per step")
	f.BoolVar(&e.training, "training", true, "the training step: loss, gradients, updates")
	f.BoolVar(&e.inference, "inference", false, "the network alone, as it predicts")
	freezeFlag(f, &e.Config)
	augmentFlags(f, &e.Config)
	optimizerFlags(f, &e.Config)
	lossFlags(f, &e.Config)
	accumulateFlag(f, &e.Config)
	recomputeFlags(f, &e.Config)
	deviceFlags(f, &e.device.name, &e.threads, "null")
	precisionFlag(f, &e.device.precision)
	e.device.tuning = tuningFlag(f)
	f.StringVar(&e.format, "format", "text", strings.Join(explainFormats, ", "))
	f.StringVar(&e.view, "view", "plan", "dot and svg: "+strings.Join(explainViews, ", "))
	f.StringVar(&e.file, "output", "", "file to write instead of standard output")
	return cmd
}

func (e *explain) run(cmd *cobra.Command, args []string) (err error) {
	if err := e.check(cmd); err != nil {
		return err
	}
	notes := hold(notesTo(cmd.ErrOrStderr()), cmd.ErrOrStderr())
	if err := e.settings(cmd, args, &notes.text); err != nil {
		return err
	}
	engine, err := e.open(cmd.Context(), notes.Note)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	g, o, err := e.graph(cmd.Flags(), graph.IsRemote(engine) && e.layout == "channels_last")
	if err != nil {
		return err
	}
	notes.release()
	var text bytes.Buffer
	how, err := e.write(cmd.Context(), &text, g, append(o, graph.WithEngine(engine)))
	if err != nil {
		return err
	}
	if e.compiled {
		e.device.tuning.followed(notesTo(cmd.ErrOrStderr()), engine)
	}
	if e.file == "" {
		_, err := cmd.OutOrStdout().Write(text.Bytes())
		return err
	}
	err = atomicfile.WriteFile(e.file, func(w io.Writer) error {
		_, err := w.Write(text.Bytes())
		return err
	})
	if err == nil {
		fmt.Fprintf(cmd.OutOrStdout(), "wrote %s%s\n", e.file, how)
	}
	return err
}

// check refuses flags that say nothing together.
func (e *explain) check(cmd *cobra.Command) error {
	f := cmd.Flags()
	if !slices.Contains(explainFormats, e.format) {
		return fmt.Errorf("unknown format %q%s", e.format, suggest.Then(e.format, explainFormats, "use "+strings.Join(explainFormats, ", ")))
	}
	if !slices.Contains(explainViews, e.view) {
		return fmt.Errorf("unknown view %q%s", e.view, suggest.Then(e.view, explainViews, "use "+strings.Join(explainViews, ", ")))
	}
	switch {
	case e.network.Batch < 1:
		return fmt.Errorf("--batch wants at least 1, got %d", e.network.Batch)
	case e.inference && e.training && f.Changed("training"):
		return errors.New("--training and --inference are two plans; name one of them")
	case f.Changed("view") && e.format != "dot" && e.format != "svg":
		return fmt.Errorf("--view goes with --format dot or svg, not %s", e.format)
	}
	if e.device.name == "null" {
		for _, name := range []string{"precision", "threads", "tuning"} {
			if f.Changed(name) {
				return fmt.Errorf("--%s is for an engine, and --device null asks none; leave one of them out", name)
			}
		}
	}
	e.inference = e.inference || !e.training
	if e.inference {
		for _, name := range onlyTraining {
			if f.Changed(name) {
				return fmt.Errorf("--%s goes with a training step, not with --inference", name)
			}
		}
	}
	return nil
}

// graph builds the graph, without values. raw says that training would feed it with bytes.
func (e *explain) graph(f *pflag.FlagSet, raw bool) (*gorgonia.ExprGraph, []graph.Option, error) {
	m, err := e.network.model(f, e.Arch)
	if err != nil {
		return nil, nil, err
	}
	if e.inference {
		return train.InferenceGraph(m, e.network.Batch)
	}
	e.Config.Batch, e.Config.Input = e.network.Batch, [3]int(e.network.Input)
	return train.RunStepGraph(e.Config, m, raw)
}

// write writes what was asked for; how says what drew it.
func (e *explain) write(ctx context.Context, w *bytes.Buffer, g *gorgonia.ExprGraph, o []graph.Option) (how string, err error) {
	if e.view == "graph" {
		return e.draw(ctx, w, graph.DrawGraph(g))
	}
	switch e.format {
	case "passes":
		texts, err := graph.ExplainPasses(g, o...)
		for _, t := range texts {
			title := "the graph"
			if t.Pass != "" {
				title = "after pass " + t.Pass
			}
			fmt.Fprintf(w, "=== %s: %d steps\n%s", title, t.Steps, t.Text)
		}
		return "", err
	case "dot", "svg":
		p, err := graph.PlanFor(g, o...)
		if err != nil {
			return "", err
		}
		return e.draw(ctx, w, graph.DrawPlan(p))
	}
	x, err := e.explanation(g, o)
	if err != nil {
		return "", err
	}
	if e.format == "json" {
		text, err := json.MarshalIndent(x, "", "  ")
		w.Write(append(text, '\n'))
		return "", err
	}
	if e.Recipe != "" {
		in := e.network.Input
		fmt.Fprintf(w, "%s of %d classes on images of %d×%d×%d, batch %d", e.Arch, e.network.Classes, in[0], in[1], in[2], e.network.Batch)
		if !e.inference {
			fmt.Fprintf(w, ", %s", e.Optimizer)
		}
		fmt.Fprintln(w)
	}
	w.WriteString(x.String())
	return "", nil
}

// open starts the engine that is asked for kernels.
func (e *explain) open(ctx context.Context, note func(string)) (graph.Engine, error) {
	if e.device.name == "null" {
		return graph.Null{}, nil
	}
	return e.device.open(ctx, note)
}

func (e *explain) explanation(g *gorgonia.ExprGraph, o []graph.Option) (*graph.Explanation, error) {
	if e.device.name == "null" {
		p, err := graph.PlanFor(g, o...)
		if err != nil {
			return nil, err
		}
		return graph.Explain(p), nil
	}
	m, err := graph.Compile(g, o...)
	if err != nil {
		return nil, err
	}
	e.compiled = true
	return m.Explain(), m.Close()
}

// draw writes a drawing as DOT or SVG.
func (e *explain) draw(ctx context.Context, w *bytes.Buffer, d *graph.Drawing) (how string, err error) {
	if e.format == "dot" {
		return "", d.WriteDOT(w)
	}
	dot, err := exec.LookPath("dot")
	if err != nil {
		return ", drawn without Graphviz: its command dot is not installed", d.WriteSVG(w)
	}
	var source, complaint bytes.Buffer
	if err := d.WriteDOT(&source); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, dot, "-Tsvg")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &source, w, &complaint
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		w.Reset()
		return fmt.Sprintf(", drawn without Graphviz: dot failed (%v: %s)", err, strings.TrimSpace(complaint.String())), d.WriteSVG(w)
	}
	return ", drawn by Graphviz", nil
}
