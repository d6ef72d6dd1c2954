package stheno_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The race detector sees every test that starts goroutines itself, in the packages of which "make race" runs some tests only: they have names for it.
func TestRaceSeesTestsWithGoroutines(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	require.NoError(t, err)
	names := regexp.MustCompile(`(?m)^AT_ONCE += (.+)$`).FindSubmatch(makefile)
	require.NotNil(t, names)
	atOnce := regexp.MustCompile(string(names[1]))
	packages := regexp.MustCompile(`(?m)-run '\$\(AT_ONCE\)' (.+)$`).FindSubmatch(makefile)
	require.NotNil(t, packages)
	seen := 0
	for _, folder := range strings.Fields(string(packages[1])) {
		files, err := filepath.Glob(folder + "/*_test.go")
		require.NoError(t, err)
		require.NotEmpty(t, files, folder)
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			require.NoError(t, err)
			if len(f.Comments) > 0 && strings.HasPrefix(f.Comments[0].List[0].Text, "//go:build gpu") {
				continue // make gpu-test
			}
			for _, d := range f.Decls {
				if d, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(d.Name.Name, "Test") && startsGoroutines(d) {
					seen++
					require.Regexp(t, atOnce, d.Name.Name, "%s starts goroutines: name it so that AT_ONCE in the Makefile has it", name)
				}
			}
		}
	}
	require.Greater(t, seen, 5)
}

// startsGoroutines says whether a function has a go statement, or a call of a method Go.
func startsGoroutines(f *ast.FuncDecl) (starts bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			starts = true
		case *ast.SelectorExpr:
			starts = starts || n.Sel.Name == "Go"
		}
		return true
	})
	return starts
}
