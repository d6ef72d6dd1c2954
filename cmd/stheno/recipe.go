package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/recipes"
	"github.com/stheno-ml/stheno/train"
)

// recipeList is the value of --recipe that lists the recipes.
const recipeList = "list"

// notInRecipes are flags of one run or one machine.
var notInRecipes = []string{"recipe", "out", "resume", "data-dir", "profile", "profile-steps"}

func newRecipes() *cobra.Command {
	return &cobra.Command{
		Use:   "recipes [NAME]",
		Short: "List the settings that train --recipe knows, or print one",
		Long: `List the recipes: settings that are known to train a network well, where they are from, and what is reported of them.
With the NAME of a recipe, print its file, which makes a beginning of one's own: "stheno train --recipe FILE.yaml" reads that.

The keys under train: are the flags of stheno train. Flags on the command line change what a recipe says.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listRecipes(cmd.OutOrStdout())
			}
			text, err := recipes.Text(args[0])
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
}

func listRecipes(w io.Writer) error {
	for i, name := range recipes.Names() {
		r, err := recipes.Open(name)
		if err != nil {
			return err
		}
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s: %s\n  source:    %s\n  published: %s\n  measured:  %s\n", name, r.About, r.Source, r.Published, r.Measured)
	}
	fmt.Fprintf(w, "\ntrain with: %s train --recipe NAME\n", programName)
	return nil
}

// useRecipe sets the flags that the recipe says and the command line does not. A run that is resumed has its settings already, whatever
// became of the recipe.
func useRecipe(f *pflag.FlagSet, c *train.Config, stderr io.Writer) error {
	switch {
	case !f.Changed("recipe") || c.Resume:
		return nil
	case c.Recipe == "": // such as of a variable that is not set
		return fmt.Errorf("--recipe= is empty; name a recipe: %s", strings.Join(recipes.Names(), ", "))
	}
	r, err := recipes.Open(c.Recipe)
	if err != nil {
		return err
	}
	known := knownSettings()
	own := f.Changed("optimizer")
	optimizer, options, _ := strings.Cut(f.Lookup("optimizer").Value.String(), ":")
	var set, left []string
	for _, s := range r.Settings {
		wrong := func(format string, args ...any) error {
			return &recipes.Error{Name: r.Name, Line: s.Line, Reason: fmt.Sprintf(format, args...)}
		}
		switch {
		case slices.Contains(notInRecipes, s.Flag):
			return wrong("%s is of one run, not of a recipe; give --%s on the command line", s.Flag, s.Flag)
		case !slices.Contains(known, s.Flag):
			return wrong("there is no setting %q%s; settings have the names of flags of %s train", s.Flag, suggest.Phrase(s.Flag, known), programName)
		}
		switch {
		case f.Changed(s.Flag):
			continue
		case own && optimizer != "sgd" && (s.Flag == "momentum" || s.Flag == "nesterov"):
			left = append(left, s.Flag)
			continue
		case own && s.Flag == "momentum" && strings.Contains(options, "momentum"):
			continue
		}
		if err := f.Set(s.Flag, s.Value); err != nil {
			if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
				return wrong("%s", invalidValue(invalid))
			}
			return wrong("%v", err)
		}
		set = append(set, s.Flag)
	}
	leftOut(stderr, "optimizer "+optimizer, left)
	if f.Changed("arch") && !slices.Contains(set, "arch") {
		leftOut(stderr, "arch "+c.Arch, withoutOptions(f, c, set))
	}
	return nil
}

// knownSettings are what recipes may set.
func knownSettings() (names []string) {
	var c train.Config
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	configFlags(f, &c)
	f.VisitAll(func(flag *pflag.Flag) {
		if !slices.Contains(notInRecipes, flag.Name) {
			names = append(names, flag.Name)
		}
	})
	return names
}

// withoutOptions takes back those of the flags set that the architecture of the command line does not have, and names them.
func withoutOptions(f *pflag.FlagSet, c *train.Config, set []string) (left []string) {
	for range set {
		wrong, ok := errors.AsType[*arch.OptionError](c.Validate())
		if !ok {
			break
		}
		name := optionFlags[wrong.Option]
		if !slices.Contains(set, name) {
			break // the user's own
		}
		flag := f.Lookup(name)
		if err := flag.Value.Set(flag.DefValue); err != nil {
			break
		}
		flag.Changed = false
		left = append(left, name)
	}
	return left
}

// leftOut says which settings of the recipe went with what the command line replaces.
func leftOut(stderr io.Writer, flag string, names []string) {
	if len(names) > 0 {
		fmt.Fprintf(stderr, "note: the recipe's %s left out, which --%s does not have\n", strings.Join(names, ", "), flag)
	}
}
