// The command cross checks that this module compiles for other systems, with its tests: go run ./scripts/cross windows/amd64 linux/arm64.
//
// It parses everything and checks its types, as the compiler does first, and that no function lacks its body. What the compiler does then,
// and what takes it ten times as long, finds nothing that depends on the system: make cross links the command for some.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// listed is what go list tells of a package.
type listed struct {
	ImportPath, Dir, ForTest string
	GoFiles, SFiles          []string
	ImportMap                map[string]string
	Module                   *struct {
		Main      bool
		GoVersion string
	}
}

// path is the import path without the test that the package was made for, as in "p [p.test]".
func (l *listed) path() string {
	path, _, _ := strings.Cut(l.ImportPath, " ")
	return path
}

// ours says that the functions are looked into: of this module, and not once more for the tests of another package.
func (l *listed) ours() bool {
	return l.Module != nil && l.Module.Main && (l.ForTest == "" || strings.TrimSuffix(l.path(), "_test") == l.ForTest)
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "cross: no system; name some: go run ./scripts/cross windows/amd64 linux/arm64")
		os.Exit(2)
	}
	problems := make([][]error, len(os.Args)-1)
	var all sync.WaitGroup
	for i, system := range os.Args[1:] {
		all.Go(func() { problems[i] = check(system) })
	}
	all.Wait()
	code := 0
	for i, system := range os.Args[1:] {
		told := map[string]bool{} // a package and the one with its tests have the same
		for _, err := range problems[i] {
			if !told[err.Error()] {
				fmt.Fprintf(os.Stderr, "%s: %v\n", system, err)
			}
			told[err.Error()] = true
			code = 1
		}
	}
	os.Exit(code)
}

// check returns what is wrong for a system, such as windows/amd64.
func check(system string) []error {
	goos, arch, _ := strings.Cut(system, "/")
	sizes := types.SizesFor("gc", arch)
	if sizes == nil {
		return []error{fmt.Errorf("cross: the architecture %q is unknown; a system is like windows/amd64", arch)}
	}
	packages, err := list(goos, arch)
	if err != nil {
		return []error{err}
	}
	files := token.NewFileSet()
	parsed, problems := parse(files, packages)
	if len(problems) > 0 {
		return problems
	}
	known := map[string]*types.Package{"unsafe": types.Unsafe}
	for i, l := range packages {
		if l.ImportPath == "unsafe" {
			continue
		}
		config := types.Config{
			Importer:         importer{known, l.ImportMap},
			Sizes:            sizes,
			IgnoreFuncBodies: !l.ours(),
			Error: func(err error) {
				var e types.Error
				if !errors.As(err, &e) || !e.Soft || l.ours() {
					problems = append(problems, err)
				}
			},
		}
		if l.Module != nil && l.Module.GoVersion != "" {
			config.GoVersion = "go" + l.Module.GoVersion
		}
		known[l.ImportPath], _ = config.Check(l.path(), files, parsed[i], nil) // Error was told
		if l.ours() && len(l.SFiles) == 0 {
			problems = append(problems, bodiless(files, parsed[i])...)
		}
	}
	return problems
}

// list returns the packages of this module, those of their tests, and all that they import, what is imported first.
func list(goos, arch string) ([]*listed, error) {
	cmd := exec.Command("go", "list", "-deps", "-test", "-json=ImportPath,Dir,ForTest,GoFiles,SFiles,ImportMap,Module", "./...")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+arch, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cross: go list: %w", err)
	}
	var all []*listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		l := new(listed)
		if err := d.Decode(l); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("cross: go list: %w", err)
		}
		if !strings.HasSuffix(l.ImportPath, ".test") { // the programs that go test writes
			all = append(all, l)
		}
	}
}

// parse returns the files of each package.
func parse(files *token.FileSet, packages []*listed) ([][]*ast.File, []error) {
	parsed := make([][]*ast.File, len(packages))
	var problems []error
	once := map[string]*ast.File{} // packages for tests have the files of the others too
	for i, l := range packages {
		for _, name := range l.GoFiles {
			if !filepath.IsAbs(name) {
				name = filepath.Join(l.Dir, name)
			}
			f, err := once[name], error(nil)
			if f == nil {
				f, err = parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
				once[name] = f
			}
			if err != nil {
				problems = append(problems, err)
			}
			parsed[i] = append(parsed[i], f)
		}
	}
	return parsed, problems
}

// bodiless returns an error for each function without a body, which the assembly of a package would have, or a linkname.
func bodiless(files *token.FileSet, parsed []*ast.File) (problems []error) {
	for _, f := range parsed {
		for _, d := range f.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && d.Body == nil {
				problems = append(problems, fmt.Errorf("%s: %s has no body, and its package no assembly", files.Position(d.Pos()), d.Name.Name))
			}
		}
	}
	return problems
}

// importer finds packages that were checked before.
type importer struct {
	known map[string]*types.Package
	names map[string]string // go list's ImportMap
}

func (im importer) Import(path string) (*types.Package, error) {
	if name, ok := im.names[path]; ok {
		path = name
	}
	if p := im.known[path]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("package %s was not listed in front of what imports it", path)
}
