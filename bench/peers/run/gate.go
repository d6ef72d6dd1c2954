package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// gate lets this program have the machine for itself for a while at a time.
type gate struct {
	command string // "" is a gate that is always open
	since   time.Time
	release func()
}

// turn is how long others have to wait at most, but for the work of one step.
const turn = 40 * time.Second

// pass waits until the machine is this program's. Called again between steps, it lets others go first when it was for long.
func (g *gate) pass(ctx context.Context) (err error) {
	if g.release != nil && time.Since(g.since) > turn {
		g.close()
	}
	if g.release == nil {
		g.release, err = hold(ctx, g.command)
		g.since = time.Now()
	}
	return err
}

func (g *gate) close() {
	if g.release != nil {
		g.release()
		g.release = nil
	}
}

// hold takes the gate, a command that waits for its turn and then runs the command that follows it; release gives it back.
func hold(ctx context.Context, gate string) (release func(), err error) {
	words := strings.Fields(gate)
	if len(words) == 0 {
		return func() {}, nil
	}
	cmd := exec.CommandContext(ctx, words[0], append(words[1:], "sh", "-c", "echo held; cat")...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { killGroup(cmd); return nil }
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "held\n" {
		killGroup(cmd)
		_ = cmd.Wait() // it was killed
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, fmt.Errorf("the gate %q does not open: it says %q", gate, line)
	}
	return func() {
		_ = in.Close() // the end of its input
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	}, nil
}
