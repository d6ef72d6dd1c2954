package onnx

func parseValueInfo(m message) (v valueInfo, err error) {
	return v, m.each(func(f field) error {
		switch f.num {
		case 1:
			return f.text(&v.name)
		case 2:
			var sub message
			if err := f.message("type", &sub); err != nil {
				return err
			}
			return parseType(sub, &v)
		}
		return nil
	})
}

func parseType(m message, v *valueInfo) error {
	return m.each(func(f field) error {
		var sub message
		if f.num != 1 { // sequences, maps and the like leave v.elem at 0
			return nil
		}
		if err := f.message("tensor type", &sub); err != nil {
			return err
		}
		return sub.each(func(f field) error {
			switch f.num {
			case 1:
				var elem int64
				err := f.integer(&elem)
				v.elem = elemType(elem)
				return err
			case 2:
				v.ranked = true
				if err := f.message("shape", &sub); err != nil {
					return err
				}
				return sub.each(func(f field) error {
					if f.num != 1 {
						return nil
					}
					d, err := parseDimension(f)
					v.dims = append(v.dims, d)
					return err
				})
			}
			return nil
		})
	})
}

func parseDimension(f field) (d dimension, err error) {
	var m message
	if err = f.message("dimension", &m); err != nil {
		return d, err
	}
	return d, m.each(func(f field) error {
		switch f.num {
		case 1:
			d.fixed = true
			return f.integer(&d.size)
		case 2:
			return f.text(&d.param)
		}
		return nil
	})
}

func parseTensor(m message) (*tensorProto, error) {
	t := &tensorProto{at: m.at, limits: m.left}
	return t, m.each(func(f field) error {
		switch f.num {
		case 1:
			return f.integers(&t.dims)
		case 2:
			var elem int64
			err := f.integer(&elem)
			t.elem = elemType(elem)
			return err
		case 3:
			t.hasSegment = true
		case 4:
			return f.floats(&t.floatData)
		case 5:
			return f.integers(&t.int32Data)
		case 6:
			t.stringData++
		case 7:
			return f.integers(&t.int64Data)
		case 8:
			return f.text(&t.name)
		case 9:
			var sub message
			err := f.message("raw data", &sub)
			t.raw, t.hasRaw = sub.raw, true
			return err
		case 10:
			return f.doubles(&t.doubleData)
		case 11:
			return f.integers(&t.uint64Data)
		case 13:
			e, err := parseEntry(f)
			t.external = append(t.external, e)
			return err
		case 14:
			var where int64
			err := f.integer(&where)
			t.isExternal = where == 1
			return err
		}
		return nil
	})
}
