package weights

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValidFiles(t *testing.T) {
	for name, c := range map[string]struct {
		file    []byte
		tensors []string // in the order expected
	}{
		"nothing at all":            {raw(`{}`, 0), nil},
		"padding":                   {raw(`{}      `, 0), nil},
		"metadata only":             {raw(`{"__metadata__":{"a":"b"}}`, 0), nil},
		"scalar":                    {raw(`{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4), []string{"a"}},
		"empty":                     {raw(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`, 0), []string{"a"}},
		"names out of data order":   {raw(`{"b":{"dtype":"U8","shape":[3],"data_offsets":[2,5]},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 5), []string{"a", "b"}},
		"empty between":             {raw(`{"c":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},"b":{"dtype":"U8","shape":[2,0],"data_offsets":[2,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 3), []string{"a", "b", "c"}},
		"unaligned F32":             {raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}`, 5), []string{"a", "b"}},
		"fields of a later version": {raw(`{"a":{"x":{"y":[1,{}]},"dtype":"U8","shape":[1],"data_offsets":[0,1],"z":null}}`, 1), []string{"a"}},
		"odd name":                  {raw(`{"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := decodeBytes(c.file)
			require.NoError(t, err)
			var got []string
			for _, x := range f.Tensors {
				got = append(got, x.Name)
			}
			require.Equal(t, c.tensors, got)
		})
	}
}

func TestInvalidFiles(t *testing.T) {
	u8 := func(rest string) string { return `{"a":{"dtype":"U8",` + rest + `}}` }
	long := func(n uint64) []byte { return append(binary.LittleEndian.AppendUint64(nil, n), "{}"...) }
	for name, c := range map[string]struct {
		file     []byte
		expected string // part of FormatError.Expected
		found    string // part of FormatError.Found
	}{
		"no bytes":               {nil, "8 bytes", "0 bytes"},
		"seven bytes":            {make([]byte, 7), "8 bytes", "7 bytes"},
		"length 0":               {make([]byte, 8), "begins with {", "empty"},
		"length beyond the file": {long(3), "at most the 2 bytes", "3"},
		"length over 100 MB":     {long(100_000_001), "at most 100000000", "100000001"},
		"length 2^63":            {long(1 << 63), "at most 100000000", "9223372036854775808"},
		"length all ones":        {long(math.MaxUint64), "at most", "18446744073709551615"},
		"a PNG":                  {[]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), "header length", "safetensors file?"},
		"array":                  {raw(`[]`, 0), "begins with {", "0x5b"},
		"space first":            {raw(` {}`, 0), "begins with {", "0x20"},
		"not UTF-8":              {raw("{\"a\xff\":1}", 0), "UTF-8", "0xff"},
		"cut JSON":               {raw(`{"a":`, 0), "valid JSON", "unexpected end"},
		"JSON then more":         {raw(`{}{}`, 0), "valid JSON", "after top-level"},
		"NUL padding":            {raw("{}\x00\x00", 0), "valid JSON", ""},
		"missing comma":          {raw(`{"__metadata__":{"a":"b" "c":"d"}}`, 0), "valid JSON", ""},
		"tensor is a number":     {raw(`{"a":1}`, 0), "JSON object", "1"},
		"tensor is null":         {raw(`{"a":null}`, 0), "JSON object", "null"},
		"tensor is a string":     {raw(`{"a":"b"}`, 0), "JSON object", `the string "b"`},
		"tensor is an array":     {raw(`{"a":[]}`, 0), "JSON object", "["},
		"metadata not an object": {raw(`{"__metadata__":[]}`, 0), "JSON object", "["},
		"metadata number":        {raw(`{"__metadata__":{"a":1}}`, 0), "to be a string", "1"},
		"metadata nested":        {raw(`{"__metadata__":{"a":{}}}`, 0), "to be a string", "{"},
		"metadata key twice":     {raw(`{"__metadata__":{"a":"","a":""}}`, 0), "each metadata key once", `"a"`},
		"metadata twice":         {raw(`{"__metadata__":{},"__metadata__":{}}`, 0), "each name once", "__metadata__"},
		"name twice":             {raw(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, 0), "each name once", `"a"`},
		"name twice, escaped":    {raw(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, 0), "each name once", `"a"`},
		"field twice":            {raw(u8(`"dtype":"U8","shape":[0],"data_offsets":[0,0]`), 0), "each field once", "dtype"},
		"no dtype":               {raw(`{"a":{"shape":[0],"data_offsets":[0,0]}}`, 0), "to have dtype", "none"},
		"no shape":               {raw(u8(`"data_offsets":[0,0]`), 0), "to have shape", "none"},
		"no offsets":             {raw(u8(`"shape":[0]`), 0), "to have data_offsets", "none"},
		"dtype a number":         {raw(`{"a":{"dtype":1,"shape":[0],"data_offsets":[0,0]}}`, 0), "to be a string", "1"},
		"dtype unknown":          {raw(`{"a":{"dtype":"F128","shape":[0],"data_offsets":[0,0]}}`, 0), "one of BOOL", `"F128"`},
		"dtype in lower case":    {raw(`{"a":{"dtype":"f32","shape":[0],"data_offsets":[0,0]}}`, 0), "one of BOOL", `"f32"`},
		"shape null":             {raw(u8(`"shape":null,"data_offsets":[0,0]`), 0), "array of integers", "null"},
		"shape a number":         {raw(u8(`"shape":3,"data_offsets":[0,3]`), 3), "array of integers", "3"},
		"negative dim":           {raw(u8(`"shape":[-1],"data_offsets":[0,1]`), 1), "integers from 0", "-1"},
		"two negative dims":      {raw(u8(`"shape":[-1,-1],"data_offsets":[0,1]`), 1), "integers from 0", "-1"},
		"fractional dim":         {raw(u8(`"shape":[1.0],"data_offsets":[0,1]`), 1), "integers from 0", "1.0"},
		"dim with exponent":      {raw(u8(`"shape":[1e0],"data_offsets":[0,1]`), 1), "integers from 0", "1e0"},
		"dim of 2^63":            {raw(u8(`"shape":[9223372036854775808],"data_offsets":[0,1]`), 1), "integers from 0", "9223372036854775808"},
		"dim is a string":        {raw(u8(`"shape":["1"],"data_offsets":[0,1]`), 1), "array of integers", `"1"`},
		"nested dims":            {raw(u8(`"shape":[[1]],"data_offsets":[0,1]`), 1), "array of integers", "["},
		"product wraps to 0":     {raw(u8(`"shape":[4294967296,4294967296],"data_offsets":[0,0]`), 0), "below 2⁶³", "shape"},
		"bytes wrap to 0":        {raw(`{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}`, 0), "below 2⁶³", "shape"},
		"huge shape, small file": {raw(u8(`"shape":[1000000000000],"data_offsets":[0,1000000000000]`), 3), "1000000000000 bytes of tensor data", "3 (the file is truncated)"},
		"one offset":             {raw(u8(`"shape":[0],"data_offsets":[0]`), 0), "2 integers", "1"},
		"three offsets":          {raw(u8(`"shape":[0],"data_offsets":[0,0,0]`), 0), "2 integers", "3"},
		"negative offset":        {raw(u8(`"shape":[1],"data_offsets":[-1,0]`), 0), "integers from 0", "-1"},
		"descending offsets":     {raw(u8(`"shape":[1],"data_offsets":[2,1]`), 2), "ascending", "[2, 1]"},
		"size too small":         {raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "8 bytes", "4 bytes"},
		"size too large":         {raw(`{"a":{"dtype":"F32","shape":[],"data_offsets":[0,8]}}`, 8), "4 bytes", "8 bytes"},
		"gap at the start":       {raw(u8(`"shape":[1],"data_offsets":[1,2]`), 2), "to begin at 0", "[1, 2]"},
		"gap":                    {raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, 3), `"b" to begin at 1`, "[2, 3]"},
		"overlap":                {raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3), `"b" to begin at 2`, "[1, 3]"},
		"same data twice":        {raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 2), `"b" to begin at 2`, "[0, 2]"},
		"truncated data":         {raw(u8(`"shape":[3],"data_offsets":[0,3]`), 2), "3 bytes of tensor data", "truncated"},
		"trailing byte":          {raw(u8(`"shape":[3],"data_offsets":[0,3]`), 4), "the end of the file", "1 more bytes"},
		"trailing, no tensors":   {raw(`{}`, 4), "the end of the file", "4 more bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := decodeBytes(c.file)
			require.Nil(t, f)
			var format *FormatError
			require.ErrorAs(t, err, &format)
			require.Contains(t, format.Expected, c.expected)
			require.Contains(t, format.Found, c.found)
			require.GreaterOrEqual(t, format.Offset, int64(0))
			require.LessOrEqual(t, format.Offset, int64(len(c.file)))
		})
	}
}
