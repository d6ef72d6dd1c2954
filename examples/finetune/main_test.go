package main

import "testing"

// It ends the process where anything fails.
func TestProgram(*testing.T) { main() }
