package pickle

import "fmt"

// collection makes and fills tuples, lists, dicts and sets.
func (m *machine) collection(code byte) error {
	switch code {
	case opEmptyTuple:
		m.push(Tuple{})
	case opEmptyList:
		m.push(&List{})
	case opEmptyDict:
		m.push(&Dict{})
	case opEmptySet:
		m.push(&Set{})
	case opTuple1, opTuple2, opTuple3:
		t := make(Tuple, int(code)-opTuple1+1)
		for i := len(t) - 1; i >= 0; i-- {
			v, err := m.pop()
			if err != nil {
				return err
			}
			t[i] = v
		}
		m.push(t)
	case opAppend:
		v, err := m.pop()
		if err != nil {
			return err
		}
		return m.extend(v)
	case opSetItem:
		v, err := m.pop()
		if err != nil {
			return err
		}
		k, err := m.pop()
		if err != nil {
			return err
		}
		return m.fill(k, v)
	default:
		items, err := m.popMark()
		if err != nil {
			return err
		}
		switch code {
		case opTuple:
			m.push(Tuple(items))
		case opList:
			m.push(&List{items})
		case opFrozenSet:
			m.push(&Set{items})
		case opDict:
			m.push(&Dict{})
			return m.fill(items...)
		case opSetItems:
			return m.fill(items...)
		case opAppends, opAddItems:
			return m.extend(items...)
		}
	}
	return nil
}

// extend adds to the list or set on top of the stack.
func (m *machine) extend(items ...any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	switch x := v.(type) {
	case *List:
		x.Items = append(x.Items, items...)
	case *Set:
		x.Items = append(x.Items, items...)
	default:
		return m.fail("a list or set to add to", describe(v))
	}
	return nil
}

// fill puts keys and values in turns into the dict on top of the stack.
func (m *machine) fill(pairs ...any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	d, ok := v.(*Dict)
	if !ok {
		return m.fail("a dict to fill", describe(v))
	}
	if len(pairs)%2 != 0 {
		return m.fail("keys and values in turns", fmt.Sprintf("%d of them", len(pairs)))
	}
	for i := 0; i < len(pairs); i += 2 {
		if err := d.set(pairs[i], pairs[i+1]); err != nil {
			return m.fail("a dict that can be looked into", err.Error())
		}
	}
	return nil
}
