package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

// driver runs cases.
type driver struct {
	options
	ctx      context.Context // done when it is interrupted, or the time is over
	screen   io.Writer
	deadline time.Time    // zero without a budget
	entered  []contestant // those that are here
	past     *record
	failures []error // of contestants, which do not stop the others
}

// gather finds out which of the contestants there are, and says which are not.
func (d *driver) gather(all []contestant) error {
	only := list(d.only)
	for _, key := range only {
		if find(key) < 0 {
			return fmt.Errorf("there is no contestant %q; they are %s", key, strings.Join(keys(), ", "))
		}
	}
	root, err := root()
	if err != nil {
		return err
	}
	seen := map[string]string{}
	for _, c := range all {
		if !has(only, c.key) || c.slow && d.slow == "none" {
			continue
		}
		err := c.build(root, d.pythons)
		if err == nil {
			err = d.introduce(&c)
		}
		if cause := context.Cause(d.ctx); cause != nil {
			return cause
		}
		if other, ok := seen[c.version]; ok && err == nil {
			err = fmt.Errorf("it is %s again, as %s", c.version, other)
		}
		if err != nil {
			fmt.Fprintf(d.screen, "%s is left out: %v (bench/peers/README.md says how to install it)\n", c.title, err)
			continue
		}
		seen[c.version] = c.key
		d.entered = append(d.entered, c)
	}
	if len(d.entered) == 0 {
		return errors.New("no contestant is here")
	}
	return nil
}

// introduce asks a contestant for its version, and for its configurations in each mode.
func (d *driver) introduce(c *contestant) error {
	c.configs = map[string][]string{}
	for _, mode := range modes {
		if c.inference && mode.name != peer.Inference {
			continue
		}
		about, err := d.ask(*c, peer.Case{Arch: "simplecnn", Size: 32, Batch: 1, Threads: 1, Mode: mode.name})
		if err != nil {
			return err
		}
		c.version, c.configs[mode.name] = about.Framework+" "+about.Version, c.both(about.Configs)
	}
	return nil
}

// ask lets a contestant describe itself.
func (d *driver) ask(c contestant, what peer.Case) (about peer.Description, err error) {
	p, err := start(d.ctx, append(append(slices.Clone(c.command), arguments(what)...), "--describe"), c.environment("", what.Threads), d.patience)
	if err != nil {
		return about, err
	}
	if err := p.receive(&about); err != nil {
		return about, err
	}
	defer p.kill()
	if len(about.Configs) == 0 || about.Framework == "" {
		return about, errors.New("it does not describe itself")
	}
	return about, p.end()
}

// takes says that a contestant takes part in a case.
func (d *driver) takes(c contestant, what peer.Case) bool {
	return len(c.configs[what.Mode]) > 0 && (!c.slow || d.slow == "all" || forSlow(what))
}
