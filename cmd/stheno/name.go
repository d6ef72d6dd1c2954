package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/stheno-ml/stheno/train"
)

// programName is what the user calls this program, for the commands that it suggests.
var programName = "stheno"

// nameOf is the program's name for a shell, of the first argument that it was started with. What "go run" builds is gone when it
// ends, and has its usual name.
func nameOf(arg string) string {
	if arg == "" || strings.Contains(filepath.ToSlash(arg), "/go-build") {
		return "stheno"
	}
	return quoted(arg)
}

// byName puts the program's name into a text that suggests one of its commands: those of packages know only the usual one. Where it has the
// name already, which may end with the usual one, it stays as it is.
func byName(text string) string {
	named := programName + " devices"
	parts := strings.Split(text, named)
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], "stheno devices", named)
	}
	return strings.Join(parts, named)
}

// resumption is the command that goes on with a run.
func resumption(c train.Config) string {
	return fmt.Sprintf("%s train --resume --out %s", programName, quoted(c.Out))
}

// quoted is a path as a shell takes it.
func quoted(path string) string {
	if strings.ContainsAny(path, " \t\"'$&|;<>()*?[]#~\\`!") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
