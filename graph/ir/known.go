package ir

import "math"

// known are functions of one number that activations of networks are, by the names that they are known under.
var known = []struct {
	name string
	of   func(x float64) float64
}{
	{"relu6", func(x float64) float64 { return min(max(x, 0), 6) }},
	{"swish", func(x float64) float64 { return x / (1 + math.Exp(-x)) }},
	{"hardswish", func(x float64) float64 { return x * min(max(x+3, 0), 6) / 6 }},
	{"hardsigmoid", func(x float64) float64 { return min(max(x+3, 0), 6) / 6 }},
	{"gelu", func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }},
	{"gelu_approximate", func(x float64) float64 { return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) }},
	{"sigmoid", func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }},
	{"tanh", math.Tanh},
	{"softplus", func(x float64) float64 { return math.Log1p(math.Exp(x)) }},
	{"elu", func(x float64) float64 { return max(x, math.Expm1(min(x, 0))) }},
}

// knownAt are points at which no two of the functions known are equal, and at which others differ from them: in each of their pieces.
var knownAt = []float64{-9, -4, -2.5, -1.25, -0.5, -0.125, 0, 0.125, 0.5, 1.25, 2.5, 4, 5.75, 6.5, 9}

// Known is the name of the function that a loop of one input and one result computes, behind a ReLU if relu is set; "" if it is none of
// those that have one. It is told from its values, however the loop computes them.
func (o *Loop) Known(relu bool) string {
	if o.Inputs != 1 || len(o.Results) != 1 {
		return ""
	}
	const near = 1e-6 // numbers of the loop may have been rounded to float32
	var y [16]float64
	for i, x := range knownAt {
		if relu {
			x = max(x, 0)
		}
		y[i] = o.at(x)
	}
next:
	for _, k := range known {
		for i, x := range knownAt {
			if want := k.of(x); !(math.Abs(y[i]-want) <= near*max(1, math.Abs(want))) {
				continue next
			}
		}
		return k.name
	}
	return ""
}

// at is the result of a loop of one input for one number.
func (o *Loop) at(x float64) float64 {
	registers := append(make([]float64, 0, 1+len(o.Steps)), x)
	value := func(a Operand) float64 {
		if a.IsNumber() {
			return a.Number
		}
		return registers[a.Register]
	}
	for _, s := range o.Steps {
		if len(s.Args) == 1 {
			registers = append(registers, s.Unary.Of(value(s.Args[0])))
		} else {
			registers = append(registers, s.Binary.Of(value(s.Args[0]), value(s.Args[1])))
		}
	}
	return registers[o.Results[0]]
}
