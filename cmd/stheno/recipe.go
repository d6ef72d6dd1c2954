package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/recipes"
	"github.com/stheno-ml/stheno/train"
)

// recipeList is the value of --recipe that lists the recipes.
const recipeList = "list"

// notInRecipes are flags of one run or one machine.
var notInRecipes = []string{"recipe", "out", "resume", "data-dir", "profile", "profile-steps"}

func recipeFlag(f *pflag.FlagSet, c *train.Config) {
	f.StringVar(&c.Recipe, "recipe", c.Recipe, "settings to begin with, which other flags change: a name of stheno recipes, or a file FILE.yaml; list lists them")
}

func newRecipes() *cobra.Command {
	return &cobra.Command{
		Use:   "recipes [NAME]",
		Short: "List the settings that train --recipe knows, or print one",
		Long: `List the recipes: settings that are known to train a network well, where they are from, and what is reported of them.
With the NAME of a recipe, print its file, which makes a beginning of one's own: "stheno train --recipe FILE.yaml" reads that.

The keys under train: are the flags of stheno train, which "stheno train --help" lists. Flags on the command line change what a recipe
says. A recipe of one's own may be as short as

  train:
    arch: resnet18
    lr: 0.05`,
		Args: oneRecipe,
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

// recipeOf takes the settings of the recipe that is named, if one is. A run that is resumed has its settings already; sameRecipe compares
// them.
func recipeOf(f *pflag.FlagSet, c *train.Config, stderr io.Writer) (*usedRecipe, error) {
	switch {
	case !f.Changed("recipe") || c.Resume:
		return nil, nil
	case c.Recipe == "": // such as of a variable that is not set
		return nil, fmt.Errorf("--recipe= is empty; name a recipe: %s", strings.Join(recipes.Names(), ", "))
	}
	r, err := recipes.Open(c.Recipe)
	if err != nil {
		return nil, err
	}
	set, err := useRecipe(f, c, r, stderr)
	return &usedRecipe{r, f, set}, err
}

// usedRecipe is a recipe and the flags that were set as it says.
type usedRecipe struct {
	*recipes.Recipe
	flags *pflag.FlagSet
	set   []string
}

// check runs check, which looks at what the flags set, and says of its error which line of the recipe it is due to. It is the error as it is
// where no line is at fault, or there is no recipe.
func (r *usedRecipe) check(cmd *cobra.Command, check func() error) error {
	err := check()
	if err == nil || r == nil {
		return err
	}
	due := r.due(err, check)
	if due == 0 {
		return err
	}
	return &recipes.Error{Name: r.Name, Line: due, Reason: strings.TrimPrefix(inFlags(cmd, err), "train: ")}
}

// due is the line that an error of check is due to, 0 for none. It leaves out settings, whichever it can, as long as the error stays the same:
// a setting without which there is merely another error, such as an optimizer with an option, is not at fault. Of several that are left, it is
// the first without which nothing is wrong, else the last.
func (r *usedRecipe) due(err error, check func() error) (line int) {
	left := slices.DeleteFunc(slices.Clone(r.Settings), func(s recipes.Setting) bool { return !slices.Contains(r.set, s.Flag) })
	// without runs check as if the recipe did not say s, and puts it back if keep says so of what comes of it.
	without := func(s recipes.Setting, keep func(error) bool) (kept bool) {
		flag := r.flags.Lookup(s.Flag)
		if flag.Value.Set(flag.DefValue) == nil {
			flag.Changed = false
			if !keep(check()) {
				return false
			}
		}
		_, flag.Changed = flag.Value.Set(settingOf(r.flags, r.Recipe, s)), true // it took that before
		return true
	}
	for before := -1; before != len(left); {
		before = len(left)
		left = slices.DeleteFunc(left, func(s recipes.Setting) bool {
			return !without(s, func(now error) bool { return now == nil || now.Error() != err.Error() })
		})
	}
	for _, s := range left {
		alone := false
		without(s, func(now error) bool { alone = now == nil; return true })
		if line = s.Line; alone {
			break
		}
	}
	return line
}

// sameRecipe refuses a recipe whose settings are not those of the run that goes on with it: it was edited, or flags changed it. Those that
// may change between the parts of a run are not taken from it, which a note says. Where its file is gone there is nothing to compare.
func sameRecipe(flags *pflag.FlagSet, c, saved train.Config, stderr io.Writer) error {
	if !flags.Changed("recipe") || c.Recipe != saved.Recipe {
		return nil
	}
	r, err := recipes.Open(c.Recipe)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	said := train.DefaultConfig()
	f, was := pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
	configFlags(f, &said)
	configFlags(was, &saved)
	flags.Visit(func(given *pflag.Flag) { // as on the command line, which changes the recipe
		if f.Lookup(given.Name) != nil && err == nil {
			err = f.Set(given.Name, given.Value.String())
		}
	})
	if err != nil {
		return err
	}
	set, err := useRecipe(f, &said, r, io.Discard)
	if err != nil {
		return err
	}
	said = said.Recorded() // and with it the values of f
	for _, s := range r.Settings {
		is, old := f.Lookup(s.Flag), was.Lookup(s.Flag)
		switch {
		case !slices.Contains(set, s.Flag) || is.Value.String() == old.Value.String():
		case mayChange[s.Flag]:
			fmt.Fprintf(stderr, "note: the recipe says %s %s, and the run goes on with %s; --%s changes it\n", s.Flag, is.Value, old.Value, s.Flag)
		default:
			return fmt.Errorf("%s holds another run than recipe %s:%d says: %s is %s there, not %s; leave --recipe out to go on with the settings of the run, or start a new run with another --out",
				c.Out, r.Name, s.Line, s.Flag, old.Value, is.Value)
		}
	}
	return nil
}

// useRecipe sets the flags that the recipe says and the command line does not, and names them.
func useRecipe(f *pflag.FlagSet, c *train.Config, r *recipes.Recipe, stderr io.Writer) (set []string, err error) {
	known := knownSettings()
	own := f.Changed("optimizer")
	optimizer, options, _ := strings.Cut(f.Lookup("optimizer").Value.String(), ":")
	var left []string
	for _, s := range r.Settings {
		wrong := func(format string, args ...any) ([]string, error) {
			return nil, &recipes.Error{Name: r.Name, Line: s.Line, Reason: fmt.Sprintf(format, args...)}
		}
		switch {
		case slices.Contains(notInRecipes, s.Flag):
			return wrong("%s is of one run, not of a recipe; give --%s on the command line", s.Flag, s.Flag)
		case !slices.Contains(known, s.Flag):
			return wrong("there is no setting %q%s", s.Flag, didYouMean(s.Flag, known, "settings have the names of flags, which "+programName+" train --help lists"))
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
		if err := f.Set(s.Flag, settingOf(f, r, s)); err != nil {
			if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
				return wrong("%s", invalidValue(invalid))
			}
			return wrong("%v", err)
		}
		set = append(set, s.Flag)
	}
	leftOut(stderr, "optimizer "+optimizer, left)
	if own {
		ofOptimizer(stderr, f, r, optimizer, set)
	}
	if f.Changed("arch") && !slices.Contains(set, "arch") {
		left := withoutOptions(f, c, set)
		leftOut(stderr, "arch "+c.Arch, left)
		set = slices.DeleteFunc(set, func(name string) bool { return slices.Contains(left, name) })
	}
	return set, nil
}

// settingOf is the value of a setting's flag: true gives one that may stand alone, such as --tensorboard, what that means, and a file of weights
// lies where the recipe's own folder is, so that both can be moved together.
func settingOf(f *pflag.FlagSet, r *recipes.Recipe, s recipes.Setting) string {
	if s.Flag == "weights" && recipes.IsPath(r.Name) && !filepath.IsAbs(s.Value) {
		if path, err := filepath.Abs(filepath.Join(filepath.Dir(r.Name), s.Value)); err == nil {
			return path
		}
	}
	if alone := f.Lookup(s.Flag).NoOptDefVal; alone != "" && s.Value == "true" {
		return alone
	}
	return s.Value
}

// ofOptimizer notes which numbers of the recipe are meant for its optimizer, where the command line names another one.
func ofOptimizer(stderr io.Writer, f *pflag.FlagSet, r *recipes.Recipe, optimizer string, set []string) {
	text, _ := r.Setting("optimizer")
	meant, _, _ := strings.Cut(cmp.Or(text, train.DefaultConfig().Optimizer), ":")
	if meant == optimizer {
		return
	}
	var numbers, names []string
	for _, name := range []string{"lr", "weight-decay"} {
		if slices.Contains(set, name) {
			numbers, names = append(numbers, name+" "+f.Lookup(name).Value.String()), append(names, "--"+name)
		}
	}
	if len(numbers) > 0 {
		fmt.Fprintf(stderr, "note: the recipe's %s %s meant for its optimizer, %s, not for %s; %s sets what is used\n", strings.Join(numbers, " and "),
			map[bool]string{true: "is", false: "are"}[len(numbers) == 1], meant, optimizer, strings.Join(names, " or "))
	}
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
