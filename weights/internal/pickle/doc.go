// Package pickle reads the data that Python's pickle module writes, and runs nothing of it.
//
// A pickle is a program for a small stack machine, and two of its instructions import and call any function of Python:
// whoever loads a stranger's pickle in Python runs the stranger's code. The machine here has those instructions too, but what
// they may name is a list that the caller gives ([Config.Global]); any other name is a [*GlobalError]. The functions
// behind the names are Go's, and make values only.
//
// Protocols 0 to 5 are read, as described in Python's Lib/pickletools.py, without extension codes, out-of-band buffers and
// the instructions INST and OBJ of Python 1.
//
// Python's values become: nil, bool, int64, *big.Int, float64, string, [Bytes], [Tuple], *[List], *[Dict], *[Set], and
// what the caller's functions return.
package pickle
