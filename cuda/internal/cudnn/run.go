//go:build gpu && cgo && linux

package cudnn

import "fmt"

// Run starts the convolution on the stream of the handle. x, w, y, bias, sums, residual and mask are those of the kernel.Convolution, on
// the device, of which the result is no memory of another; workspace has plan.Workspace bytes and is aligned to 64 bytes.
func (plan *Plan) Run(x, w, y, bias, sums, residual, mask, workspace uintptr) error {
	h, p := plan.handle, plan.p
	if h.handle == nil {
		return fmt.Errorf("cuda: cuDNN: the plan is for a device that is not there")
	}
	if at := [8]uintptr{x, w, y, bias, sums, residual, mask, workspace}; plan.packed == nil || at != plan.last { // runs of a program repeat their memory
		uids, data := []int64{p.x.uid, p.w.uid, p.y.uid}, []uintptr{x, w, y}
		operands := []operand{p.x, p.w, p.y}
		if p.bias != nil {
			uids, data, operands = append(uids, p.bias.uid), append(data, bias), append(operands, *p.bias)
		}
		if p.residual != nil {
			uids, data, operands = append(uids, p.residual.uid), append(data, residual), append(operands, *p.residual)
		}
		if p.mask != nil {
			uids, data, operands = append(uids, p.mask.uid), append(data, mask), append(operands, *p.mask)
		}
		if p.selects {
			uids, data, operands = append(uids, uidZero), append(data, zeroOnHost()), append(operands, p.zero())
		}
		for i, o := range p.sums {
			uids, data, operands = append(uids, o.uid), append(data, sums+uintptr(i)*uintptr(o.bytes())), append(operands, o)
		}
		for i, o := range operands {
			if data[i]%uintptr(o.alignment) != 0 {
				return fmt.Errorf("cuda: cuDNN: memory at %#x is not aligned to %d bytes, for which the convolution was planned", data[i], o.alignment)
			}
		}
		plan.pack.destroy()
		plan.pack.err = nil
		plan.packed = plan.pack.make(kindVariantPack, ints(packUIDs, uids...), pointers(packPointers, data...), pointers(packWorkspace, workspace))
		if plan.pack.err != nil {
			plan.packed = nil
			return fmt.Errorf("cuda: cuDNN %s: %w", h.lib.Version(), plan.pack.err)
		}
		plan.last = at
	}
	if err := h.execute(plan.plan, plan.packed); err != nil {
		return fmt.Errorf("cuda: cuDNN %s: convolution on %s: %w", h.lib.Version(), plan.Engine, err)
	}
	return nil
}

// Close frees the plan. Runs that were started need not have ended.
func (plan *Plan) Close() error {
	plan.pack.destroy()
	if plan.own != nil {
		plan.own.release()
	}
	plan.own = nil
	for _, s := range plan.needs {
		s.release()
	}
	plan.needs = nil
	return nil
}
