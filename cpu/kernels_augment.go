package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	registerBoth(map[string]entry{"Augment": {f32: buildAugment[float32], f64: buildAugment[float64]}})
}

func buildAugment[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o, size := s.Instr.(*op.Augment), s.In[0].Shape
	k, err := kernel.NewAugment[T](b.pool, size[0], [3]int{size[1], size[2], size[3]}, o.Mean, o.Std)
	y, images, draws := s.Out[0].ID, s.In[0].ID, s.In[1].ID
	return func(m *memory) error {
		list := m.arrays[draws].Data.([]int)
		if err := o.CheckDraws(list); err != nil {
			return err
		}
		k.Run(floats[T](m)[y], m.arrays[images].Data.([]byte), list)
		return nil
	}, err
}
