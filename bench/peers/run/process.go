package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

// process is a contestant at work on a case.
type process struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	lines    chan string // of its output, those that are JSON
	errors   tail
	patience time.Duration
}

// errCannot is wrapped by what says that a contestant cannot do a case.
var errCannot = errors.New("cannot do this case")

func start(command, env []string, patience time.Duration) (*process, error) {
	p := &process{cmd: exec.Command(command[0], command[1:]...), lines: make(chan string, 1), patience: patience}
	p.cmd.Env, p.cmd.Stderr = env, &p.errors
	// A group of its own: a child of the contestant does not outlive it, and Ctrl-C reaches this program alone.
	p.cmd.SysProcAttr = ownGroup()
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
				p.lines <- line
			}
		}
	}()
	return p, nil
}

// receive reads the next line of JSON.
func (p *process) receive(to any) error {
	select {
	case line, ok := <-p.lines:
		if ok {
			return json.Unmarshal([]byte(line), to)
		}
		return p.failure()
	case <-time.After(p.patience):
		p.kill()
		return fmt.Errorf("%w: no answer in %v", errCannot, p.patience)
	}
}

// failure is why the process has ended.
func (p *process) failure() error {
	err := p.cmd.Wait()
	reason := lastLine(p.errors.String())
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == peer.CannotStatus:
		return fmt.Errorf("%w: %s", errCannot, strings.TrimPrefix(reason, peer.ErrCannot.Error()+": "))
	case errors.As(err, &exit) && signaled(exit) == syscall.SIGKILL:
		return fmt.Errorf("%w: it was killed, probably for its memory", errCannot)
	case err != nil:
		return fmt.Errorf("%w: %s", err, reason)
	}
	return errors.New("it ended without a result")
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
	if !(answer.ImagesPerSecond > 0) {
		return 0, fmt.Errorf("it measured %v images/s", answer.ImagesPerSecond)
	}
	return answer.ImagesPerSecond, nil
}

// finish ends the contestant and returns its result.
func (p *process) finish() (r peer.Result, err error) {
	if err := p.in.Close(); err != nil {
		return r, err
	}
	if err := p.receive(&r); err != nil {
		return r, err
	}
	return r, p.cmd.Wait()
}

// kill ends the contestant, whatever it does.
func (p *process) kill() {
	killGroup(p.cmd)
	for range p.lines { // so that its reader ends
	}
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
