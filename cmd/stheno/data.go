package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/train"
)

func newData() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data",
		Short: "Fetch, verify and describe data sets",
		Args:  onlyCommands,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		dataCommand("fetch", "Download a data set into the cache folder, unless it is there", func(*cobra.Command, *data.Split) error { return nil }),
		dataCommand("verify", "Compare a data set's files with the published digests, or decode all pictures of a folder", verify),
		dataCommand("describe", "Print classes, counts and pixel statistics of a data set, or classes and counts of a folder of pictures", describe),
	)
	return cmd
}

// dataCommand is a command on one data set.
func dataCommand(verb, short string, do func(*cobra.Command, *data.Split) error) *cobra.Command {
	var from source
	var valSplit float64
	cmd := &cobra.Command{
		Use:   verb + " NAME",
		Short: short,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("data %s wants the name of one data set: %s", verb, strings.Join(data.Names(), ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			out := newScreen(cmd)
			defer out.Finish()
			o, err := from.options(cmd.Flags(), out)
			if err != nil {
				return err
			}
			if verb == "verify" { // which lists what differs, and does not use it
				o.AllowModified = true
				o.Logf = func(format string, args ...any) {
					if !strings.HasSuffix(format, "; using the file as it is") {
						out.Printf(format, args...)
					}
				}
			}
			ofPictures(&o, args[0], out)
			o.ValSplit = valSplit
			if args[0] == data.FolderName && verb == "fetch" {
				return errors.New("a folder of pictures is not fetched: it is there, and named with --data-dir; docs/imagenet.md says how to make one")
			}
			s, err := data.Open(cmd.Context(), args[0], o)
			if err != nil {
				return err
			}
			out.Finish()
			fmt.Fprintf(cmd.OutOrStdout(), "%s (%s): %d training and %d test images, from %s\n", s.Title, s.Name, s.Train.Len(), s.Test.Len(), s.Source)
			return do(cmd, s)
		},
	}
	if verb != "fetch" { // which is there for the network
		from.offlineFlag(cmd.Flags())
		cmd.Flags().Float64Var(&valSplit, "val-split", 0, valSplitHelp)
	}
	from.folderFlags(cmd.Flags())
	return cmd
}

func verify(cmd *cobra.Command, s *data.Split) error {
	if s.Test.Files != nil {
		return verifyPictures(cmd, s)
	}
	w := cmd.OutOrStdout()
	unknown := 0
	for _, f := range s.Files {
		status := "as published"
		switch {
		case f.Published == "":
			status = "no digest is published"
			unknown++
		case !f.OK():
			status = "DIFFERS from the published " + f.Published
		}
		fmt.Fprintf(w, "  %s  %d bytes  md5 %s  %s\n", f.Path, f.Bytes, f.MD5, status)
	}
	if err := s.Verify(); err != nil {
		return err
	}
	if unknown == len(s.Files) && len(s.Files) > 0 {
		return errors.New("no digest is known for these files, nothing was verified")
	}
	return nil
}

// verifyPictures decodes all pictures, for a run would stop at one that is damaged.
func verifyPictures(cmd *cobra.Command, s *data.Split) error {
	all, bad := s.Train.Len()+s.Test.Len(), 0
	out, begin := newScreen(cmd), time.Now()
	defer out.Finish()
	check := data.PictureCheck{Progress: func(done int) { out.Checked(done, all, time.Since(begin)) }}
	for _, ds := range []*data.Dataset{s.Train, s.Test} {
		for _, err := range check.All(cmd.Context(), ds) {
			bad++
			out.Printf("  %v", err)
		}
	}
	out.Finish()
	w := cmd.OutOrStdout()
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	if n := check.Turned; n > 0 {
		fmt.Fprintf(w, "  %d of %d pictures %s an EXIF orientation, and are seen as their pixels lie in the file; train --exif %s turns them as viewers do\n",
			n, all, map[bool]string{true: "has", false: "have"}[n == 1], train.EXIFApply)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d pictures cannot be used; replace them, or take them out of their folders before a run begins, "+
			"or train with --skip-damaged, with which also a run goes on that has begun", bad, all)
	}
	fmt.Fprintf(w, "  all %d pictures can be decoded; no digests are known for them\n", all)
	return nil
}

func describe(cmd *cobra.Command, s *data.Split) error {
	w := cmd.OutOrStdout()
	if s.Cite != "" {
		fmt.Fprintln(w, "cite:", s.Cite)
	}
	for _, ds := range []*data.Dataset{s.Train, s.Test} {
		d := data.Describe(ds)
		if ds.Files != nil {
			fmt.Fprintf(w, "%s: %d pictures, whose sizes and pixels are not looked at, %d classes\n", d.Name, d.Images, len(d.Classes))
		} else {
			fmt.Fprintf(w, "%s: %d images of %dx%dx%d, %d classes\n", d.Name, d.Images, d.Shape[0], d.Shape[1], d.Shape[2], len(d.Classes))
		}
		for c := range d.Mean {
			fmt.Fprintf(w, "  channel %d: mean %.4f  deviation %.4f  range %d to %d\n", c, d.Mean[c], d.Std[c], d.Min[c], d.Max[c])
		}
		fmt.Fprint(w, "  images per class:")
		for i, name := range d.Classes {
			fmt.Fprintf(w, " %s %d", name, d.PerClass[i])
		}
		fmt.Fprintln(w)
	}
	return nil
}
