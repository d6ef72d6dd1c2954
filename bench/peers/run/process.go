package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

// process is a contestant at work on a case.
type process struct {
	ctx      context.Context
	cmd      *exec.Cmd
	in       io.WriteCloser
	lines    chan string // of its output, those that are JSON
	errors   tail
	patience time.Duration
	turns    int
}

// errCannot is wrapped by what says that a contestant cannot do a case: by its own word, peer.CannotStatus. All else is a failure.
var errCannot = errors.New("cannot do this case")

// grace is how long a program may take to end when it has said everything, or was killed.
const grace = 10 * time.Second

// start runs a program until it ends, is killed, or ctx is done.
func start(ctx context.Context, command, env []string, patience time.Duration) (*process, error) {
	p := &process{ctx: ctx, cmd: exec.CommandContext(ctx, command[0], command[1:]...), lines: make(chan string, 16), patience: patience}
	p.cmd.Env, p.cmd.Stderr = env, &p.errors
	// A group of its own: a child of the contestant does not outlive it, and Ctrl-C reaches this program alone.
	p.cmd.SysProcAttr = ownGroup()
	p.cmd.Cancel = func() error { killGroup(p.cmd); return nil }
	p.cmd.WaitDelay = grace // a child that got away may hold its output open
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.lines)
		scanner := bufio.NewScanner(out)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			if line := scanner.Text(); strings.HasPrefix(line, "{") {
				select {
				case p.lines <- line:
				default: // Nobody asked it for so much.
				}
			}
		}
	}()
	return p, nil
}

// receive reads the next line of JSON. The program is dead when it returns an error.
func (p *process) receive(to any) error {
	timeout := time.NewTimer(p.patience)
	defer timeout.Stop()
	select {
	case line, ok := <-p.lines:
		if !ok {
			return p.failure()
		}
		if err := json.Unmarshal([]byte(line), to); err != nil {
			p.kill()
			return fmt.Errorf("it says %q: %w", line, err)
		}
		return nil
	case <-timeout.C:
		p.kill()
		// It may be the machine, or the patience: another time it may well do it.
		return fmt.Errorf("no answer in %v", p.patience)
	}
}

// failure is why the process has ended.
func (p *process) failure() error {
	// Its output is closed: it ends now, or never.
	late := time.AfterFunc(grace, func() { killGroup(p.cmd) })
	err := p.cmd.Wait()
	late.Stop()
	killGroup(p.cmd)
	if cause := context.Cause(p.ctx); cause != nil {
		return cause
	}
	reason := lastLine(p.errors.String())
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == peer.CannotStatus:
		return fmt.Errorf("%w: %s", errCannot, strings.TrimPrefix(reason, peer.ErrCannot.Error()+": "))
	case errors.As(err, &exit) && signaled(exit) == syscall.SIGKILL:
		return errors.New("it was killed, probably for its memory")
	case err != nil:
		return fmt.Errorf("%w: %s", err, reason)
	}
	return errors.New("it ended without a result")
}

// ready waits until the contestant is.
func (p *process) ready() error {
	var answer struct{ Ready bool }
	if err := p.receive(&answer); err != nil {
		return err
	}
	if !answer.Ready {
		p.kill()
		return errors.New("it does not say that it is ready")
	}
	return nil
}

// turn lets the contestant do a round.
func (p *process) turn() (rate float64, err error) {
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		return 0, p.failure()
	}
	var answer struct {
		ImagesPerSecond float64 `json:"images_per_second"`
	}
	if err := p.receive(&answer); err != nil {
		return 0, err
	}
	if !positive(answer.ImagesPerSecond) {
		p.kill()
		return 0, fmt.Errorf("it measured %v images/s", answer.ImagesPerSecond)
	}
	p.turns++
	return answer.ImagesPerSecond, nil
}

// finish ends the contestant and returns its result.
func (p *process) finish() (r peer.Result, err error) {
	defer p.kill()
	if err := p.in.Close(); err != nil {
		return r, err
	}
	if err := p.receive(&r); err != nil {
		return r, err
	}
	if len(r.Rates) != p.turns {
		return r, fmt.Errorf("it tells %d rates of %d turns", len(r.Rates), p.turns)
	}
	for _, rate := range r.Rates {
		if !positive(rate) {
			return r, fmt.Errorf("it measured %v images/s", rate)
		}
	}
	r.ImagesPerSecond = peer.Median(r.Rates)
	return r, p.end()
}

// end lets the program end by itself.
func (p *process) end() error {
	late := time.AfterFunc(grace, func() { killGroup(p.cmd) })
	defer late.Stop()
	return p.cmd.Wait()
}

func positive(x float64) bool { return x > 0 && !math.IsInf(x, 0) }

// kill ends the contestant, whatever it does, and what it has started. Once more does no harm.
func (p *process) kill() {
	killGroup(p.cmd)
	_ = p.cmd.Wait() // it was killed
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - tailSize; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
