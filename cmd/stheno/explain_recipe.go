package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/train"
)

// oneNetwork is for an architecture, which a recipe names, too.
func (e *explain) oneNetwork(cmd *cobra.Command, args []string) error {
	if len(args) == 0 && cmd.Flags().Changed("recipe") {
		return nil
	}
	if len(args) == 0 {
		return fmt.Errorf("explain wants one architecture, or a --recipe; the architectures are\n%s", architectures())
	}
	return oneArchitecture(cmd, args)
}

// settings completes what the flags say: with those of a recipe, as training takes them, if one is named, of which there may be notes.
func (e *explain) settings(cmd *cobra.Command, args []string, notes io.Writer) error {
	f := cmd.Flags()
	if !f.Changed("recipe") {
		e.Arch, e.network.NoL2 = args[0], e.NoL2
		return checkMomentum(f, e.Optimizer)
	}
	said := train.DefaultConfig()
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	configFlags(all, &said)
	var err error
	f.Visit(func(given *pflag.Flag) {
		if all.Lookup(given.Name) != nil && err == nil {
			err = all.Set(given.Name, given.Value.String())
		}
	})
	if err == nil && len(args) == 1 {
		err = all.Set("arch", args[0])
	}
	if err != nil {
		return err
	}
	said.Device = e.device.name
	used, err := recipeOf(all, &said, notes)
	if err == nil && said.Weights != "" && !all.Changed("arch") {
		return fmt.Errorf("recipe %s trains the network in %s; name an architecture to explain in its place", said.Recipe, said.Weights)
	}
	if err == nil {
		err = used.check(cmd, func() error { return checkFlags(all, said, "null") })
	}
	if err != nil {
		return err
	}
	shape, classes, err := e.ofData(f, said)
	if err != nil {
		return err
	}
	said.Input, said.Classes = shape, make([]string, classes)
	if err := said.Validate(); err != nil {
		return err
	}
	e.Config, e.device.precision, e.device.threads = said, said.Precision, said.Threads
	if said.Device != "" && !f.Changed("device") {
		e.device.name = said.Device
	}
	n := &e.network
	n.Classes, n.Batch = classes, said.Batch
	n.BatchNorm, n.Dropout, n.NoL2 = said.BatchNorm, said.Dropout, said.NoL2
	n.Stem, n.Version, n.Shortcuts = said.Stem, said.ResNetVersion, said.Shortcuts
	n.BatchNormDecay, n.BatchNormEpsilon = said.BatchNormMomentum, said.BatchNormEpsilon
	return f.Set("input", fmt.Sprintf("%dx%dx%d", shape[0], shape[1], shape[2])) // and no larger images where the network wants such
}

// ofData says what images and how many classes a recipe's data set has, where flags do not.
func (e *explain) ofData(f *pflag.FlagSet, c train.Config) (shape [3]int, classes int, err error) {
	if f.Changed("input") {
		s, err := parseInput(e.input)
		if err != nil {
			return shape, 0, err
		}
		shape = [3]int(s)
	}
	classes = e.network.Classes
	if c.Data == data.FolderName {
		if !f.Changed("classes") {
			return shape, 0, fmt.Errorf("recipe %s trains on --data %s, and how many classes that has is said by its folder alone; give --classes", c.Recipe, c.Data)
		}
		if !f.Changed("input") {
			side := c.Size
			if side == 0 {
				side = data.FolderSize
			}
			shape = [3]int{side, side, 3}
		}
		return shape, classes, nil
	}
	info, err := data.Lookup(c.Data)
	if err != nil {
		return shape, 0, err
	}
	if !f.Changed("input") {
		shape = info.Shape
	}
	if !f.Changed("classes") {
		classes = len(info.Classes)
	}
	return shape, classes, nil
}
