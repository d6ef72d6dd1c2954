package kernel

func (c Conv) patchesCost() float64  { return 1 }
func (c Conv) tapsCost() float64     { return 1 }
func (c Conv) winogradCost() float64 { return 1 }

// canWinograd says whether winogradConv computes it.
func (c Conv) canWinograd() bool {
	g := c.Geometry
	return !c.Double && !c.Rounds && c.Pass != BackwardFilter && g.Groups == 1 && g.H.Kernel == 3 && g.W.Kernel == 3 &&
		g.H.Stride == 1 && g.W.Stride == 1 && g.H.Dilation == 1 && g.W.Dilation == 1
}
