package cpu

import (
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	registerBoth(map[string]entry{"CropAndResize": {f32: buildCropAndResize[float32], f64: buildCropAndResize[float64]}})
}

func buildCropAndResize[T kernel.Float](b *builder, s *graph.Step) (step, error) {
	o, size, room := s.Instr.(*op.CropAndResize), s.Out[0].Shape, s.In[0].Shape[1]
	k, err := kernel.NewCropAndResize[T](b.pool, size[0], room, [3]int{size[1], size[2], size[3]}, o.Cutout, o.Mixup, kernel.Normalize{Raw: o.Raw, Mean: o.Mean, Std: o.Std})
	y, pictures, draws := s.Out[0].ID, s.In[0].ID, s.In[1].ID
	return func(m *memory) error {
		list := m.arrays[draws].Data.([]int)
		if err := o.CheckDraws(list, room); err != nil {
			return err
		}
		k.Run(floats[T](m)[y], m.arrays[pictures].Data.([]byte), list)
		return nil
	}, err
}
