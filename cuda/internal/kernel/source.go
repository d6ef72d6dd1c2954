package kernel

import (
	"fmt"
	"regexp"
	"strings"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/kernels"
)

// Source is a text that is compiled as one unit. Sources of equal text are one.
type Source struct {
	Name string // for messages: "pool.cu float32"
	Text string // complete
}

// prelude is what stands in front of every kernel.
var prelude = read("stheno.cuh")

func read(name string) string {
	b, err := kernels.Files.ReadFile(name)
	if err != nil {
		panic("cuda: a kernel file that is not embedded: " + err.Error()) // a mistake of ours: names are constants
	}
	return string(b)
}

// File is a file of package kernels for elements of type dt. Each definition, such as "TILE 16", is a macro besides T. A line
// #include "name" stands for another file of the package, which is put in its place.
func File(name string, dt tensor.Dtype, defines ...string) Source {
	body := includes.ReplaceAllStringFunc(read(name), func(line string) string { return read(includes.FindStringSubmatch(line)[1]) })
	return Text(name, dt, body, defines...)
}

var includes = regexp.MustCompile(`(?m)^#include "([^"]+)"\n`)

// Text is a text of kernels, generated for a plan.
func Text(name string, dt tensor.Dtype, body string, defines ...string) Source {
	var b strings.Builder
	fmt.Fprintf(&b, "#define T %s\n", CType(dt))
	for _, d := range defines {
		fmt.Fprintf(&b, "#define %s\n", d)
	}
	b.WriteString(prelude)
	b.WriteString(body)
	return Source{Name: strings.Join(append([]string{name, dt.String()}, defines...), " "), Text: b.String()}
}

// CType is the name of an element type in the sources. A Go int has 64 bits on every machine that CUDA runs on.
func CType(dt tensor.Dtype) string {
	switch dt {
	case tensor.Float32:
		return "float"
	case tensor.Float64:
		return "double"
	case tensor.Int, tensor.Int64:
		return "long long"
	case tensor.Int32:
		return "int"
	case tensor.Uint8, tensor.Bool:
		return "unsigned char"
	}
	panic(fmt.Sprintf("cuda: element type %v has no kernels", dt)) // tables are by element type: a mistake of ours
}
