package graph

import "fmt"

// CompileError says why a graph cannot be compiled.
type CompileError struct {
	Stage  string // "capture", "order" or "build"
	Node   string // name of the node concerned, may be empty
	Reason string
	Remedy string
	Err    error // the cause, may be nil
}

func (e *CompileError) Error() string {
	s := "graph: " + e.Stage
	if e.Node != "" {
		s += fmt.Sprintf(" of %q", e.Node)
	}
	s += ": " + e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

// Unwrap returns the cause.
func (e *CompileError) Unwrap() error { return e.Err }

// BudgetError says that no recomputation brings a plan into its budget of memory.
type BudgetError struct {
	Budget int // bytes
	Least  int // the smallest Plan.PeakBytes that was found
	With   Recompute
}

func (e *BudgetError) Error() string {
	how := "with recomputation " + e.With.String()
	if e.With == RecomputeOff {
		how = "and computing results again saves nothing"
	}
	return fmt.Sprintf("graph: the plan cannot do with %s: the least is %s (%d bytes), %s; use a smaller batch or a larger budget",
		mebibytes(e.Budget), mebibytes(e.Least), e.Least, how)
}

// mebibytes is an amount of memory that is usually that large.
func mebibytes(n int) string {
	if n < 1<<20 {
		return bytesText(int64(n))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// FeedError says why a machine cannot take the value bound to an input.
type FeedError struct {
	Node, Wanted, Got, Remedy string
	Err                       error // the cause, may be nil
}

func (e *FeedError) Error() string {
	s := fmt.Sprintf("graph: input %q wants %s, got %s", e.Node, e.Wanted, e.Got)
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

// Unwrap returns the cause.
func (e *FeedError) Unwrap() error { return e.Err }

// StepError says which step of a plan failed while it ran.
type StepError struct {
	Step  int
	Op    string
	Node  string
	Err   error
	Stack []byte // of the goroutine, if the operation panicked
}

func (e *StepError) Error() string {
	return fmt.Sprintf("graph: step %d, %s of %q: %v", e.Step, e.Op, e.Node, e.Err)
}

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }
