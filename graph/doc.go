// Package graph compiles a finished Gorgonia expression graph (forward pass, gradients, updates) into a plan and runs
// the plan on an engine.
//
//	capture → passes → order → memory → Engine.Build
//
// Capture (capture.go, stock.go) reads the graph into steps over values. The passes (passes.go, pass_*.go) rewrite the
// steps. Ordering (order.go) fixes the sequence so that memory is freed early. Memory planning (memory.go) gives every
// intermediate value its place in one arena. An engine (engine.go) chooses kernels for the steps and owns the arena.
// [Compile] does all of it and returns a [Machine], which is a gorgonia.VM.
//
// [NewTapeMachine] is the same for programs that were written for gorgonia.NewTapeMachine: it takes their options, binds
// gradients for Gorgonia's solvers, and leaves values at their nodes. Programs that use gorgonia.NewLispMachine, which builds
// graphs while it runs them, keep it: a LispMachine has no counterpart here, and runs beside our machines, also on graphs with
// operations of package op. docs/gorgonia.md lists all that differs.
package graph
