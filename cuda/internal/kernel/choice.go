package kernel

// Choice is two or more whole ways to compute the same, of which the fastest is not known before it is measured on the device at hand.
// Without a measurement the first is followed whose calls are all taken.
type Choice struct{ Ways []Way }

// Way is one way of a Choice. It is not followed where a library does not take a call of it that is in no Either, so that every Choice
// has a way without such calls, or with own kernels alone. It has no Check, no Late and no Choice: it must run by itself, on memory that
// holds any numbers, and on indices of 0.
type Way struct {
	Name string // tells it from the others of the Choice: "cuBLASLt product"
	List []Command
	Work int64 // bytes of working memory that the step has up to its end
}

func (*Choice) command() {}

// alternative is a way to be, whose commands are decided on when its turn comes.
type alternative struct {
	name string
	list func() []Command
}

// choice offers ways that share working memory, as one of them runs. The first is what is done without a measurement. A way that has no
// commands, or wants very much working memory, is left out; the first is not.
func (b *Builder) choice(ways ...alternative) []Command {
	start, most := b.work, b.work
	c := &Choice{}
	for i, w := range ways {
		b.work = start
		list := w.list()
		if i > 0 && (len(list) == 0 || b.work-start > mostScratch) {
			continue
		}
		c.Ways = append(c.Ways, Way{w.name, list, b.work})
		most = max(most, b.work)
	}
	b.work = most
	if len(c.Ways) == 1 {
		b.work = c.Ways[0].Work
		return c.Ways[0].List
	}
	return []Command{c}
}

// Calls lists what commands ask of libraries, also what they may ask.
func Calls(list []Command) (calls []Command) {
	for _, c := range list {
		switch c := c.(type) {
		case *Gemm, *Convolution:
			calls = append(calls, c)
		case *Either:
			calls = append(calls, Calls(c.Try)...)
		case *Choice:
			for _, w := range c.Ways {
				calls = append(calls, Calls(w.List)...)
			}
		}
	}
	return calls
}
