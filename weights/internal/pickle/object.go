package pickle

// object looks up names, calls what they stand for, and sets states.
func (m *machine) object(code byte) error {
	switch code {
	case opGlobal:
		module, err := m.line(maxLine)
		if err != nil {
			return err
		}
		name, err := m.line(maxLine)
		if err != nil {
			return err
		}
		return m.global(module, name)
	case opPersID:
		id, err := m.line(maxLine)
		if err != nil {
			return err
		}
		return m.persistent(id)
	case opBinPersID:
		id, err := m.pop()
		if err != nil {
			return err
		}
		return m.persistent(id)
	case opNewObjEx:
		named, err := m.pop()
		if err != nil {
			return err
		}
		if d, ok := named.(*Dict); !ok || len(d.Keys) > 0 {
			return m.fail("a call without named arguments", describe(named))
		}
	}
	arg, err := m.pop()
	if err != nil {
		return err
	}
	target, err := m.pop()
	if err != nil {
		return err
	}
	switch code {
	case opStackGlobal:
		module, ok := target.(string)
		name, named := arg.(string)
		if !ok || !named {
			return m.fail("a module and a name", describe(target)+" and "+describe(arg))
		}
		return m.global(module, name)
	case opBuild:
		return m.build(target, arg)
	}
	return m.call(target, arg)
}

func (m *machine) global(module, name string) error {
	full := module + "." + name
	if m.cfg.Global != nil {
		if v, ok := m.cfg.Global(full); ok {
			m.push(v)
			return nil
		}
	}
	return &GlobalError{m.begin, clip(full)}
}

func (m *machine) persistent(id any) error {
	if m.cfg.Persistent == nil {
		return m.fail("data", "a reference to something outside the pickle (a persistent id)")
	}
	v, err := m.cfg.Persistent(id)
	if err != nil {
		return m.fail("a persistent id that can be resolved", err.Error())
	}
	m.push(v)
	return nil
}

// call is REDUCE and NEWOBJ.
func (m *machine) call(target, arg any) error {
	f, ok := target.(Func)
	if !ok {
		return m.fail("a function that may be called", describe(target))
	}
	args, ok := arg.(Tuple)
	if !ok {
		return m.fail("a tuple of arguments", describe(arg))
	}
	for _, a := range args { // what a function copies is counted: the file may name one list again and again
		if err := m.charge(weight(a)); err != nil {
			return err
		}
	}
	v, err := f(args)
	if err != nil {
		return m.fail("arguments that fit", err.Error())
	}
	m.push(v)
	return nil
}

// weight is the number of steps that copying an argument is counted as.
func weight(v any) int {
	switch x := v.(type) {
	case *List:
		return len(x.Items)
	case Tuple:
		return len(x)
	case *Set:
		return len(x.Items)
	case *Dict:
		return len(x.Keys)
	case string:
		return len(x) / 64
	case Bytes:
		return len(x) / 64
	}
	return 1
}

// build sets the attributes of an object. Those of dicts (PyTorch notes versions of modules there) mean nothing here.
func (m *machine) build(target, state any) error {
	switch x := target.(type) {
	case *Dict:
		m.push(target)
		return nil
	case Stateful:
		if err := m.charge(weight(state)); err != nil {
			return err
		}
		if err := x.SetState(state); err != nil {
			return m.fail("a state that fits", err.Error())
		}
		m.push(target)
		return nil
	}
	return m.fail("an object that takes a state", describe(target))
}
