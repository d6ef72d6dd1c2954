package kernel

import "github.com/stheno-ml/stheno/graph"

func init() {
	registerFloats(map[string]Prepare{"FoldNorm": foldNorm})
}

// Folds says whether it is less work to fold a batch norm into so many weights in front of it, in every run, than to have it go over so many
// results: in bytes. The weights are read and written, then read again and packed, with a launch more than the batch norm has.
func Folds(weights, results int, p Precision) bool {
	const launch = 8 << 20 // bytes that memory moves in the time of a launch
	element := int64(8)    // read and written
	if p == BF16 {
		element = 4
	}
	return element*int64(results) > 16*int64(weights)+launch
}

func foldNorm(b *Builder, s *graph.Step) ([]Command, error) {
	f := s.Instr.(*graph.FoldNorm)
	v, n := channelsOf(s.In[0].Shape, f.Axis), s.In[0].Len()
	bias, biased := In(3), int32(0) // which is not read
	if len(s.In) > 5 {
		bias, biased = In(5), 1
	}
	grid, block := b.Each(n)
	return []Command{&Launch{Source: File("fold_norm.cu", s.Out[0].Dtype), Name: "fold_norm", Grid: grid, Block: block,
		Args: []any{Out(0), Out(1), In(0), In(1), In(2), In(3), In(4), bias, number(s.Out[0].Dtype, f.Epsilon), structOf(struct {
			N               int64
			Inner, Channels divisor
			Biased, Pad     int32
		}{int64(n), divideBy(int(v.Inner)), divideBy(int(v.Channels)), biased, 0})}}}, nil
}
