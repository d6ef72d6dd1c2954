package train

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/internal/suggest"
)

// OptionError says that a text such as "cosine-restarts:epochs=10,t_mul=2" names an option that is not one of what it is given to,
// or gives one a value that cannot be.
type OptionError struct {
	Of     string   // what has options, e.g. `optimizer "adam"`
	Option string   // as it was named
	Reason string   // what is wrong with its value; "" where there is no such option
	Known  []string // the options there are
}

// Error names the option, the reason and the options there are.
func (e *OptionError) Error() string {
	switch {
	case e.Reason != "":
		return fmt.Sprintf("train: %s: %s %s", e.Of, e.Option, e.Reason)
	case len(e.Known) == 0:
		return fmt.Sprintf("train: %s takes no options, got %q; leave it out", e.Of, e.Option)
	}
	return fmt.Sprintf("train: %s has no option %q%s", e.Of, e.Option, suggest.Then(e.Option, e.Known, "it has "+strings.Join(e.Known, ", ")))
}

// option is a setting that such a text may name, with where its value goes: a *float64, *int, *string, or a *bool, which is set by the
// name alone. What the place holds before is what it is without being named.
type option struct {
	name string
	to   any
	want string             // what it must be, e.g. "above 0"; "" for any
	ok   func(float64) bool // whether a number is that
}

func above0(v float64) bool   { return v > 0 }
func atLeast0(v float64) bool { return v >= 0 }
func atLeast1(v float64) bool { return v >= 1 }
func fraction(v float64) bool { return v >= 0 && v <= 1 }
func below1(v float64) bool   { return v >= 0 && v < 1 }
func inside(v float64) bool   { return v > 0 && v < 1 }

// parseOptions reads "name=value,name,…" into the places of options. of is what has them.
func parseOptions(of, text string, options []option) error {
	var known []string
	for _, o := range options {
		known = append(known, o.name)
	}
	seen := map[string]bool{}
	for _, item := range strings.Split(text, ",") {
		name, value, hasValue := strings.Cut(item, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		o := findOption(options, name)
		switch {
		case o == nil:
			return &OptionError{Of: of, Option: name, Known: known}
		case seen[name]:
			return &OptionError{Of: of, Option: name, Reason: "is given twice", Known: known}
		}
		seen[name] = true
		if reason := o.set(value, hasValue); reason != "" {
			return &OptionError{Of: of, Option: name, Reason: reason, Known: known}
		}
	}
	return nil
}

func findOption(options []option, name string) *option {
	for i := range options {
		if options[i].name == name {
			return &options[i]
		}
	}
	return nil
}

// set takes a value over; the reason says what is wrong with it.
func (o *option) set(text string, hasValue bool) (reason string) {
	if to, ok := o.to.(*bool); ok {
		if hasValue {
			return fmt.Sprintf("stands alone, got =%s", short(text))
		}
		*to = true
		return ""
	}
	if to, ok := o.to.(*string); ok {
		*to = text
		return o.wrong()
	}
	v, ok := parseNumber(text)
	_, whole := o.to.(*int)
	if !ok || whole && (v != math.Trunc(v) || math.Abs(v) > math.MaxInt32) {
		kind := "a number"
		if whole {
			kind = "a whole number"
		}
		if o.want != "" {
			kind += " " + o.want
		}
		return fmt.Sprintf("wants %s, got %q", kind, short(text))
	}
	switch to := o.to.(type) {
	case *float64:
		*to = v
	case *int:
		*to = int(v)
	}
	return o.wrong()
}

// wrong says what is wrong with the value, "" if nothing is.
func (o *option) wrong() string {
	switch to := o.to.(type) {
	case *float64:
		if o.ok != nil && !o.ok(*to) || math.IsInf(*to, 0) || math.IsNaN(*to) {
			return fmt.Sprintf("wants a number %s, got %v", o.want, *to)
		}
	case *int:
		if o.ok != nil && !o.ok(float64(*to)) {
			return fmt.Sprintf("wants a whole number %s, got %v", o.want, *to)
		}
	case *string:
		if o.want != "" && !strings.Contains(", "+o.want+",", ", "+*to+",") {
			return fmt.Sprintf("wants one of %s, got %q%s", o.want, short(*to), suggest.Phrase(*to, strings.Split(o.want, ", ")))
		}
	}
	return ""
}

// wrongOption is the error for the first option whose value cannot be.
func wrongOption(of string, options []option) error {
	for i := range options {
		if reason := options[i].wrong(); reason != "" {
			return &OptionError{Of: of, Option: options[i].name, Reason: reason}
		}
	}
	return nil
}

// formatOptions is parseOptions backwards. What is as in defaults, options of the same names, is left out.
func formatOptions(options, defaults []option) string {
	var items []string
	for i, o := range options {
		text, usual := o.text(), defaults[i].text()
		if text == usual {
			continue
		}
		if _, flag := o.to.(*bool); flag {
			items = append(items, o.name)
		} else {
			items = append(items, o.name+"="+text)
		}
	}
	return strings.Join(items, ",")
}

func (o *option) text() string {
	switch to := o.to.(type) {
	case *float64:
		return strconv.FormatFloat(*to, 'g', -1, 64)
	case *int:
		return strconv.Itoa(*to)
	case *string:
		return *to
	case *bool:
		return strconv.FormatBool(*to)
	}
	return ""
}

// parseNumber reads a finite number.
func parseNumber(s string) (float64, bool) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}
