package pickle

import (
	"fmt"
	"math"
	"math/big"
)

// mark is what the instruction MARK leaves on the stack.
type mark struct{}

// machine runs one pickle.
type machine struct {
	*Reader
	begin int64 // offset of the running instruction
	steps int
	stack []any
	marks []int // their places in the stack
	memo  map[uint64]any
}

// Decode reads the next pickle and returns its value.
func (r *Reader) Decode() (any, error) {
	m := &machine{Reader: r, memo: map[uint64]any{}}
	for {
		m.begin = r.at
		code, err := r.byte()
		if err != nil {
			return nil, err
		}
		if err := m.charge(1); err != nil {
			return nil, err
		}
		if code == opStop {
			if len(m.stack) != 1 || len(m.marks) != 0 {
				return nil, m.fail("one value at the end", fmt.Sprintf("%d", len(m.stack)))
			}
			return m.stack[0], nil
		}
		if err := m.step(code); err != nil {
			return nil, err
		}
	}
}

func (m *machine) fail(expected, found string) error { return &Error{m.begin, expected, found} }

// charge counts work against the bound.
func (m *machine) charge(n int) error {
	if m.steps += n; m.steps > maxSteps {
		return m.fail(fmt.Sprintf("a pickle of at most %d steps", maxSteps), "a longer one")
	}
	return nil
}

func (m *machine) push(v any) { m.stack = append(m.stack, v) }

// pop takes the top value, which must lie above the last mark.
func (m *machine) pop() (any, error) {
	n := len(m.stack)
	if n == 0 || len(m.marks) > 0 && m.marks[len(m.marks)-1] == n-1 {
		return nil, m.fail("a value on the stack", "none")
	}
	v := m.stack[n-1]
	m.stack = m.stack[:n-1]
	return v, nil
}

// top is pop that leaves the value there.
func (m *machine) top() (any, error) {
	v, err := m.pop()
	if err == nil {
		m.push(v)
	}
	return v, err
}

// popMark takes everything above the last mark, and the mark. The values are the caller's.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, m.fail("a mark on the stack", "none")
	}
	at := m.marks[len(m.marks)-1]
	m.marks = m.marks[:len(m.marks)-1]
	out := append([]any(nil), m.stack[at+1:]...)
	m.stack = m.stack[:at]
	return out, nil
}

// step runs one instruction. The groups are in files of their own.
func (m *machine) step(code byte) error {
	switch code {
	case opProto:
		v, err := m.byte()
		if err == nil && v > highestProtocol {
			err = m.fail(fmt.Sprintf("a protocol of at most %d", highestProtocol), fmt.Sprint(v))
		}
		return err
	case opFrame: // frames help who reads piecemeal
		n, err := m.unsigned(8)
		if left := m.size - m.at; err == nil && n > uint64(max(left, 0)) {
			err = m.fail(fmt.Sprintf("a frame of at most the %d bytes that are left", left), fmt.Sprint(n))
		}
		return err
	case opMark:
		m.marks = append(m.marks, len(m.stack))
		m.push(mark{})
		return nil
	case opPop: // also removes a mark
		if n := len(m.marks); n > 0 && m.marks[n-1] == len(m.stack)-1 {
			m.marks, m.stack = m.marks[:n-1], m.stack[:len(m.stack)-1]
			return nil
		}
		_, err := m.pop()
		return err
	case opPopMark:
		_, err := m.popMark()
		return err
	case opDup:
		v, err := m.top()
		if err == nil {
			m.push(v)
		}
		return err
	case opPut, opBinPut, opLongBinPut, opMemoize, opGet, opBinGet, opLongBinGet:
		return m.remember(code)
	case opGlobal, opStackGlobal, opReduce, opNewObj, opNewObjEx, opBuild, opPersID, opBinPersID:
		return m.object(code)
	case opEmptyTuple, opTuple, opTuple1, opTuple2, opTuple3, opEmptyList, opList, opAppend, opAppends, opEmptyDict, opDict,
		opSetItem, opSetItems, opEmptySet, opAddItems, opFrozenSet:
		return m.collection(code)
	}
	v, err := m.scalar(code)
	if err == nil {
		m.push(v)
	}
	return err
}

// remember stores into the memo, or fetches from it.
func (m *machine) remember(code byte) (err error) {
	var i uint64
	switch code {
	case opPut, opGet:
		var n int64
		if n, err = m.decimal(); err == nil && n < 0 {
			err = m.fail("a place in the memo", fmt.Sprint(n))
		}
		i = uint64(n)
	case opBinPut, opBinGet:
		i, err = m.unsigned(1)
	case opLongBinPut, opLongBinGet:
		i, err = m.unsigned(4)
	case opMemoize:
		i = uint64(len(m.memo))
	}
	if err != nil {
		return err
	}
	switch code {
	case opGet, opBinGet, opLongBinGet:
		v, ok := m.memo[i]
		if !ok {
			return m.fail("a place of the memo that holds something", fmt.Sprint(i))
		}
		m.push(v)
		return nil
	}
	v, err := m.top()
	if err == nil {
		m.memo[i] = v
	}
	return err
}

// scalar reads a number or a text.
func (m *machine) scalar(code byte) (any, error) {
	switch code {
	case opNone:
		return nil, nil
	case opNewTrue:
		return true, nil
	case opNewFalse:
		return false, nil
	case opBinInt:
		v, err := m.unsigned(4)
		return int64(int32(v)), err
	case opBinInt1:
		v, err := m.unsigned(1)
		return int64(v), err
	case opBinInt2:
		v, err := m.unsigned(2)
		return int64(v), err
	case opLong1:
		s, err := m.counted(1)
		return integer(s), err
	case opLong4:
		s, err := m.counted(4)
		return integer(s), err
	case opBinFloat: // big-endian, as nothing else here
		s, err := m.text(8)
		if err != nil {
			return nil, err
		}
		var bits uint64
		for i := range len(s) {
			bits = bits<<8 | uint64(s[i])
		}
		return math.Float64frombits(bits), nil
	case opShortBinUnicode:
		return m.utf8(1)
	case opBinUnicode:
		return m.utf8(4)
	case opBinUnicode8:
		return m.utf8(8)
	case opShortBinString:
		return m.oldText(m.counted(1))
	case opBinString:
		return m.oldText(m.counted(4))
	case opShortBinBytes:
		s, err := m.counted(1)
		return Bytes(s), err
	case opBinBytes:
		s, err := m.counted(4)
		return Bytes(s), err
	case opBinBytes8, opByteArray8:
		s, err := m.counted(8)
		return Bytes(s), err
	case opInt, opLong, opFloat, opString, opUnicode:
		return m.written(code)
	}
	if name := refused[code]; name != "" {
		return nil, m.fail("an instruction that makes data", name)
	}
	return nil, m.fail("an instruction of a pickle", fmt.Sprintf("byte %#02x (is this a pickle?)", code))
}

// integer reads a little-endian two's complement number of any length.
func integer(s string) any {
	p := make([]byte, len(s))
	for i := range p {
		p[len(p)-1-i] = s[i]
	}
	v := new(big.Int).SetBytes(p)
	if len(p) > 0 && p[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(p))))
	}
	if v.IsInt64() {
		return v.Int64()
	}
	return v
}
