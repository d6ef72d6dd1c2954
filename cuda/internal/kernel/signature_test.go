package kernel

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// goTypes are the types of arguments for the types of parameters.
var goTypes = map[string]string{"long long": "int64", "int": "int32", "unsigned int": "uint32", "unsigned long long": "uint64",
	"float": "float32", "double": "float64"}

var (
	comments   = regexp.MustCompile(`//[^\n]*|/\*(?s:.*?)\*/`)
	aliases    = regexp.MustCompile(`(?m)^(?:#define (\w+) ([\w ]+?)|typedef ([\w ]+) (\w+);)\s*$`)
	qualifiers = regexp.MustCompile(`\b(const|__restrict__|struct|volatile)\b`)
	field      = regexp.MustCompile(`^([\w ]+?)\s+(\w+(?:\[\w+\])*(?:\s*,\s*\w+(?:\[\w+\])*)*)$`)
)

// parameters returns the types of a kernel's parameters, macros and typedefs resolved; a pointer is "*".
func parameters(text, kernel string) ([]string, error) {
	key := text + "\x00" + kernel
	if known, ok := parsed.Load(key); ok {
		return known.([]string), nil
	}
	types, err := parse(text, kernel)
	if err == nil {
		parsed.Store(key, types)
	}
	return types, err
}

// parsed and sized remember what parameters and sizeOf found: many launches are of few texts.
var parsed, sized sync.Map

func parse(text, kernel string) ([]string, error) {
	text = comments.ReplaceAllString(text, "")
	find := regexp.MustCompile(`(?:KERNEL|extern "C" __global__ void)\s+(?:__launch_bounds__\([^)]*\)\s+)?` + kernel + `\s*\(([^)]*)\)`)
	m := find.FindAllStringSubmatch(text, -1)
	if len(m) != 1 {
		return nil, fmt.Errorf("the text has %d kernels of this name", len(m))
	}
	var types []string
	for _, p := range strings.Split(m[0][1], ",") {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		if strings.Contains(p, "*") {
			types = append(types, "*")
			continue
		}
		words := strings.Fields(qualifiers.ReplaceAllString(p, ""))
		if len(words) < 2 {
			return nil, fmt.Errorf("parameter %q has no name", p)
		}
		types = append(types, resolve(text, strings.Join(words[:len(words)-1], " ")))
	}
	return types, nil
}

// resolve follows macros and typedefs to a type of the language or a struct.
func resolve(text, name string) string {
	for range 8 {
		if name == "unsigned" {
			return "unsigned int"
		}
		next := name
		for _, m := range aliases.FindAllStringSubmatch(text, -1) {
			if m[1] == name {
				next = strings.TrimSpace(m[2])
			} else if m[4] == name {
				next = strings.TrimSpace(m[3])
			}
		}
		if next == name {
			return name
		}
		name = next
	}
	return name
}

// sizeOf returns the size and the alignment of a type, as a C compiler for these machines lays it out. Structs have plain
// fields, one declaration a statement.
func sizeOf(text, name string) (size, align int, err error) {
	type answer struct {
		size, align int
		err         error
	}
	key := text + "\x00" + name
	if known, ok := sized.Load(key); ok {
		a := known.(answer)
		return a.size, a.align, a.err
	}
	defer func() { sized.Store(key, answer{size, align, err}) }()
	text = comments.ReplaceAllString(text, "")
	name = resolve(text, name)
	switch name {
	case "long long", "unsigned long long", "double":
		return 8, 8, nil
	case "int", "unsigned int", "float":
		return 4, 4, nil
	case "unsigned short", "short":
		return 2, 2, nil
	case "unsigned char", "char":
		return 1, 1, nil
	}
	m := regexp.MustCompile(`struct ` + name + `\s*\{([^}]*)\}`).FindStringSubmatch(text)
	if m == nil {
		return 0, 0, fmt.Errorf("the text has no struct %s", name)
	}
	align = 1
	for _, statement := range strings.Split(m[1], ";") {
		if statement = strings.TrimSpace(statement); statement == "" {
			continue
		}
		f := field.FindStringSubmatch(statement)
		if f == nil {
			return 0, 0, fmt.Errorf("field %q of struct %s is not plain", statement, name)
		}
		n, a, err := 8, 8, error(nil)
		if typ := strings.TrimSpace(qualifiers.ReplaceAllString(f[1], "")); !strings.Contains(typ, "*") {
			n, a, err = sizeOf(text, typ)
		}
		if err != nil {
			return 0, 0, err
		}
		for _, declared := range strings.Split(f[2], ",") {
			count := 1
			for _, extent := range regexp.MustCompile(`\[(\w+)\]`).FindAllStringSubmatch(declared, -1) {
				k, err := strconv.Atoi(resolve(text, extent[1]))
				if err != nil {
					return 0, 0, fmt.Errorf("struct %s: an array of %q elements", name, extent[1])
				}
				count *= k
			}
			size = (size+a-1)/a*a + count*n
		}
		align = max(align, a)
	}
	return (size + align - 1) / align * align, align, nil
}
