package train

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// spec is an optimizer's name with its options.
type spec struct {
	name    string
	options []option
	named   []string // options that the text names
	// decouples says that the weight decay is decoupled, as an option where it is not so by nature.
	decouples *bool
	// build makes the optimizer with a weight decay of its own.
	build func(decay float64) (Optimizer, error)
}

// specs make the optimizers that flags can name, with Keras's defaults, which a text of options then changes.
var specs = map[string]func() *spec{
	"sgd": func() *spec {
		o := SGD{}
		return &spec{options: []option{momentumOption(&o.Momentum), {"nesterov", &o.Nesterov, "", nil}},
			build: func(decay float64) (Optimizer, error) {
				if o.Nesterov && o.Momentum == 0 {
					return nil, fmt.Errorf("train: Nesterov's look-ahead needs a momentum; set --momentum, e.g. 0.9")
				}
				o.WeightDecay = decay
				return o, nil
			}}
	},
	"adam": func() *spec {
		o := Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: kerasEpsilon}
		return &spec{options: append(adamOptions(&o.Beta1, &o.Beta2, &o.Epsilon), option{"amsgrad", &o.AMSGrad, "", nil}),
			build: func(decay float64) (Optimizer, error) { o.WeightDecay = decay; return o, nil }}
	},
	"adamw": func() *spec {
		o := AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: kerasEpsilon}
		return &spec{decouples: always, options: append(adamOptions(&o.Beta1, &o.Beta2, &o.Epsilon), option{"amsgrad", &o.AMSGrad, "", nil}),
			build: func(decay float64) (Optimizer, error) { o.WeightDecay = decay; return o, nil }}
	},
	"adamax": func() *spec {
		o := Adamax{Beta1: 0.9, Beta2: 0.999, Epsilon: kerasEpsilon}
		return &spec{options: adamOptions(&o.Beta1, &o.Beta2, &o.Epsilon),
			build: func(decay float64) (Optimizer, error) { o.WeightDecay = decay; return o, nil }}
	},
	"nadam": func() *spec {
		o := NAdam{Beta1: 0.9, Beta2: 0.999, Epsilon: kerasEpsilon}
		return &spec{options: adamOptions(&o.Beta1, &o.Beta2, &o.Epsilon),
			build: func(decay float64) (Optimizer, error) { o.WeightDecay = decay; return o, nil }}
	},
	"rmsprop": func() *spec {
		o := RMSProp{Rho: 0.9, Epsilon: kerasEpsilon}
		return &spec{options: []option{betaOption("rho", &o.Rho), momentumOption(&o.Momentum), epsilonOption(&o.Epsilon), {"centered", &o.Centered, "", nil}},
			build: func(decay float64) (Optimizer, error) { o.WeightDecay = decay; return o, nil }}
	},
	"adagrad": func() *spec {
		o := Adagrad{InitialAccumulator: 0.1, Epsilon: kerasEpsilon}
		return &spec{options: []option{{"initial_accumulator", &o.InitialAccumulator, "above 0", above0}, epsilonOption(&o.Epsilon)},
			build: func(decay float64) (Optimizer, error) { o.WeightDecay = decay; return o, nil }}
	},
	"adadelta": func() *spec {
		o := Adadelta{Rho: 0.95, Epsilon: kerasEpsilon}
		return &spec{options: []option{betaOption("rho", &o.Rho), epsilonOption(&o.Epsilon)},
			build: func(decay float64) (Optimizer, error) { o.WeightDecay = decay; return o, nil }}
	},
	"lion": func() *spec {
		o := Lion{Beta1: 0.9, Beta2: 0.99}
		return &spec{decouples: always, options: []option{betaOption("beta_1", &o.Beta1), betaOption("beta_2", &o.Beta2)},
			build: func(decay float64) (Optimizer, error) { o.WeightDecay = decay; return o, nil }}
	},
	"lars": func() *spec {
		o := LARS{Momentum: 0.9, Trust: 0.001}
		return &spec{options: []option{momentumOption(&o.Momentum), {"trust", &o.Trust, "above 0", above0}, {"epsilon", &o.Epsilon, "of at least 0", atLeast0},
			{"nesterov", &o.Nesterov, "", nil}, {"adapt_all", &o.AdaptAll, "", nil}},
			build: func(decay float64) (Optimizer, error) {
				if o.Nesterov && o.Momentum == 0 {
					return nil, &OptionError{Of: `optimizer "lars"`, Option: "nesterov", Reason: "needs a momentum above 0"}
				}
				o.WeightDecay = decay
				return o, nil
			}}
	},
	"lamb": func() *spec {
		o := LAMB{Beta1: 0.9, Beta2: 0.999, Epsilon: kerasEpsilon}
		return &spec{decouples: always, options: adamOptions(&o.Beta1, &o.Beta2, &o.Epsilon),
			build: func(decay float64) (Optimizer, error) { o.WeightDecay = decay; return o, nil }}
	},
	"muon": func() *spec {
		o := Muon{Momentum: 0.95, Steps: 5, RMSRate: 0.2, Beta1: 0.9, Beta2: 0.999, Epsilon: kerasEpsilon}
		exclude := ""
		return &spec{decouples: always, options: append([]option{betaOption("momentum", &o.Momentum), {"ns_steps", &o.Steps, "of at least 1", atLeast1},
			{"rms_rate", &o.RMSRate, "above 0", above0}, {"plain", &o.Plain, "", nil}, {"exclude", &exclude, "", nil}}, adamOptions(&o.Beta1, &o.Beta2, &o.Epsilon)...),
			build: func(decay float64) (Optimizer, error) {
				o.WeightDecay = decay
				if exclude == "" {
					return o, nil
				}
				var err error
				if o.Exclude, err = regexp.Compile(exclude); err != nil {
					return nil, &OptionError{Of: `optimizer "muon"`, Option: "exclude", Reason: fmt.Sprintf("is not a pattern of weights' names: %v", err)}
				}
				return o, nil
			}}
	},
}

var always = func() *bool { v := true; return &v }()

func momentumOption(to *float64) option {
	return option{"momentum", to, "from 0 to below 1", below1}
}
func betaOption(name string, to *float64) option {
	return option{name, to, "above 0 and below 1", inside}
}
func epsilonOption(to *float64) option { return option{"epsilon", to, "above 0", above0} }

func adamOptions(beta1, beta2, eps *float64) []option {
	return []option{betaOption("beta_1", beta1), betaOption("beta_2", beta2), epsilonOption(eps)}
}

// Optimizers lists the names that NewOptimizer knows.
func Optimizers() []string {
	return []string{"adam", "sgd", "adamw", "adamax", "nadam", "rmsprop", "adagrad", "adadelta", "lion", "lars", "lamb", "muon"}
}

// newSpec is the spec of a name with its defaults.
func newSpec(name string) (*spec, error) {
	made := specs[name]
	if made == nil {
		return nil, unknown("optimizer", name, Optimizers())
	}
	s := made()
	s.name = name
	if s.decouples == nil {
		s.decouples = new(bool)
		s.options = append(s.options, option{"decoupled", s.decouples, "", nil})
	}
	return s, nil
}

// parseOptimizer reads "name" or "name:option=value,option,…", as in "adam:beta_2=0.98,amsgrad".
func parseOptimizer(text string) (*spec, error) {
	name, args, has := strings.Cut(strings.TrimSpace(text), ":")
	s, err := newSpec(name)
	if err != nil || !has {
		return s, err
	}
	if slices.ContainsFunc(strings.Split(args, ","), func(item string) bool { return strings.HasPrefix(strings.TrimSpace(item), "weight_decay") }) {
		return nil, &OptionError{Of: fmt.Sprintf("optimizer %q", name), Option: "weight_decay", Reason: "is not among its options: give it as --weight-decay"}
	}
	if err := parseOptions(fmt.Sprintf("optimizer %q", name), args, s.options); err != nil {
		return nil, err
	}
	for _, item := range strings.Split(args, ",") {
		option, _, _ := strings.Cut(item, "=")
		s.named = append(s.named, strings.TrimSpace(option))
	}
	return s, nil
}

// names says whether the text names an option, even to give it its default.
func (s *spec) names(option string) bool { return slices.Contains(s.named, option) }

// String is the text of an optimizer with the options that are not as usual.
func (s *spec) String() string {
	usual, err := newSpec(s.name)
	if err != nil {
		return s.name
	}
	if args := formatOptions(s.options, usual.options); args != "" {
		return s.name + ":" + args
	}
	return s.name
}

// OptimizerOptions lists the options of the optimizer of a name, for help; nil where there is no such optimizer.
func OptimizerOptions(name string) (names []string) {
	s, err := newSpec(name)
	if err != nil {
		return nil
	}
	for _, o := range s.options {
		names = append(names, o.name)
	}
	return names
}

// NewOptimizer makes the optimizer that a configuration names, with what surrounds it where that is asked for.
func NewOptimizer(c Config) (Optimizer, error) {
	s, err := parseOptimizer(c.Optimizer)
	if err != nil {
		return nil, err
	}
	if s.name != "sgd" && c.Nesterov {
		hint := ""
		if findOption(s.options, "nesterov") != nil {
			hint = fmt.Sprintf("; write --optimizer %s:nesterov", s.name)
		}
		return nil, fmt.Errorf("train: --nesterov goes with --optimizer sgd, not %s%s", s.name, hint)
	}
	if s.name == "sgd" {
		momentum, nesterov := findOption(s.options, "momentum").to.(*float64), findOption(s.options, "nesterov").to.(*bool)
		if !s.names("momentum") {
			*momentum = c.Momentum
		}
		*nesterov = *nesterov || c.Nesterov
	}
	b := Base{Accumulate: c.Accumulate > 1, ClipValue: c.ClipValue, ClipNorm: c.ClipNorm, GlobalClipNorm: c.GlobalClipNorm,
		EMA: c.EMA, EMAOverwrite: c.EMAOverwrite}
	own := c.WeightDecay
	if *s.decouples && s.decouples != always {
		b.WeightDecay, own = c.WeightDecay, 0
	}
	if b.Optimizer, err = s.build(own); err != nil {
		return nil, err
	}
	if c.NoDecay != "" {
		if b.NoDecay, err = regexp.Compile(c.NoDecay); err != nil {
			return nil, fmt.Errorf("train: --no-decay is not a pattern of weights' names: %w", err)
		}
		if c.WeightDecay == 0 && s.name != "adamw" && s.name != "muon" {
			return nil, fmt.Errorf("train: --no-decay goes with --weight-decay; leave it out, or give %s a weight decay", s.name)
		}
	}
	if err := b.Check(); err != nil {
		return nil, err
	}
	plain := Base{Optimizer: b.Optimizer}
	if b == plain {
		return b.Optimizer, nil
	}
	return b, nil
}
