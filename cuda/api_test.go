package cuda_test

import (
	"bytes"
	"go/ast"
	"go/build"
	"go/parser"
	"go/printer"
	"go/token"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
)

var (
	_ graph.Engine = (*cuda.Engine)(nil)
	_ graph.Remote = (*cuda.Engine)(nil)
)

// exported lists the exported names of the package in a build: functions and methods with their signatures, types with their exported
// fields, constants and variables.
func exported(t *testing.T, tags []string, cgo bool) []string {
	c := build.Default
	c.GOOS, c.GOARCH, c.BuildTags, c.CgoEnabled = "linux", "amd64", tags, cgo
	p, err := c.ImportDir(".", 0)
	require.NoError(t, err)
	var all []string
	fset := token.NewFileSet()
	text := func(node any) string {
		var b bytes.Buffer
		require.NoError(t, printer.Fprint(&b, fset, node))
		return b.String()
	}
	for _, name := range append(p.GoFiles, p.CgoFiles...) {
		f, err := parser.ParseFile(fset, name, nil, 0)
		require.NoError(t, err)
		ast.FileExports(f)
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				d.Body = nil
				if d.Recv != nil && !ast.IsExported(strings.TrimPrefix(text(d.Recv.List[0].Type), "*")) {
					continue
				}
				for _, list := range []*ast.FieldList{d.Recv, d.Type.Params} {
					if list == nil {
						continue
					}
					for _, field := range list.List {
						if n := len(field.Names); n > 1 {
							for range n - 1 {
								list.List = append(list.List, &ast.Field{Type: field.Type})
							}
						}
						field.Names = nil
					}
				}
				all = append(all, text(d))
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						if fields, ok := s.Type.(*ast.StructType); ok && fields.Fields.NumFields() == 0 {
							all = append(all, "type "+s.Name.Name)
						} else {
							all = append(all, "type "+text(s))
						}
					case *ast.ValueSpec:
						for _, n := range s.Names {
							all = append(all, d.Tok.String()+" "+n.Name)
						}
					}
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

// The tag changes what runs, never a public name.
func TestPublicNamesAreThoseOfEveryBuild(t *testing.T) {
	with, without := exported(t, []string{"gpu"}, true), exported(t, nil, false)
	require.Equal(t, with, without)
	require.Contains(t, with, "func New(Config) (*Engine, error)")
	require.Contains(t, with, "func (*Engine) Memory() (used, held int64)")
	require.Equal(t, without, exported(t, []string{"gpu"}, false), "the tag without cgo")
}
