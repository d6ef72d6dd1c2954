package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestGate(t *testing.T) {
	g := gate{command: "env"}
	if err := g.pass(t.Context()); err != nil || g.release == nil {
		t.Fatal(err)
	}
	since := g.since
	if err := g.pass(t.Context()); err != nil || g.since != since {
		t.Errorf("it is taken again: %v", err)
	}
	g.since = since.Add(-2 * turn)
	if err := g.pass(t.Context()); err != nil || g.since.Before(since) {
		t.Errorf("it is not given to others: %v", err)
	}
	g.close()
	g.close()
	if closed := (&gate{command: "false"}); closed.pass(t.Context()) == nil {
		t.Error("a gate that fails lets pass")
	}
	// Who waits at a gate can be interrupted.
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { cancel(errInterrupted) })
	script := filepath.Join(t.TempDir(), "gate")
	if err := os.WriteFile(script, []byte("sleep 3600\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&gate{command: "sh " + script}).pass(ctx); !errors.Is(err, errInterrupted) {
		t.Errorf("the wait ends with %v", err)
	}
}
