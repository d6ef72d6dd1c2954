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
	o, size, set := s.Instr.(*op.Augment), s.Out[0].Shape, s.In[0].Shape[0]
	k, err := kernel.NewAugment[T](b.pool, size[0], [3]int{size[1], size[2], size[3]}, o.Cutout, o.Mixup, kernel.Normalize{Raw: o.Raw, Mean: o.Mean, Std: o.Std})
	y, images, draws, index := s.Out[0].ID, s.In[0].ID, s.In[1].ID, -1
	if o.Indexed {
		index = s.In[2].ID
	}
	return func(m *memory) error {
		list, chosen := m.arrays[draws].Data.([]int), []int(nil)
		if err := o.CheckDraws(list, size); err != nil {
			return err
		}
		if index >= 0 {
			chosen = m.arrays[index].Data.([]int)
			if err := o.CheckIndex(chosen, set); err != nil {
				return err
			}
		}
		k.Run(floats[T](m)[y], m.arrays[images].Data.([]byte), list, chosen)
		return nil
	}, err
}
