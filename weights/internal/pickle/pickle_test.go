package pickle

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func decode(data []byte) (any, error) {
	return NewReader(bytes.NewReader(data), int64(len(data)), Config{Global: Standard}).Decode()
}

func golden(t testing.TB, name string) []byte {
	data, err := os.ReadFile(filepath.Join("testdata", "golden", name))
	require.NoError(t, err)
	return data
}

// Python's values in all protocols; the files are made by scripts/golden/make_torch.py.
func TestValuesOfPython(t *testing.T) {
	for protocol := range 6 {
		t.Run(fmt.Sprint(protocol), func(t *testing.T) {
			v, err := decode(golden(t, fmt.Sprintf("values%d.pkl", protocol)))
			require.NoError(t, err)
			d := v.(*Dict)
			get := func(key string) any {
				v, ok := d.Get(key)
				require.True(t, ok, key)
				return v
			}
			require.Nil(t, get("none"))
			require.Equal(t, true, get("yes"))
			require.Equal(t, false, get("no"))
			require.Equal(t, []any{int64(0), int64(1), int64(255), int64(256), int64(65535), int64(65536), int64(-1), int64(-129), int64(1<<31 - 1),
				int64(-1 << 31), int64(1 << 40), int64(math.MinInt64)}, get("ints").(*List).Items)
			big70 := new(big.Int).Lsh(big.NewInt(1), 70)
			require.Zero(t, big70.Cmp(get("big").(*big.Int)))
			require.Zero(t, new(big.Int).Neg(big70).Cmp(get("negative").(*big.Int)))
			require.Equal(t, []any{0.5, -1e300}, get("floats").(*List).Items)
			require.Equal(t, "café € 😀", get("text"))
			require.Equal(t, "it's \"x\"\\n\n", get("quote"))
			require.Equal(t, Bytes("\x00\xffabc"), get("bytes"))
			require.Equal(t, []any{Tuple{}, Tuple{int64(1)}, Tuple{int64(1), int64(2)}, Tuple{int64(1), int64(2), int64(3)},
				Tuple{int64(1), int64(2), int64(3), int64(4)}}, emptied(get("tuples").(*List).Items))
			shared := get("shared").(*List).Items
			require.Same(t, shared[0], shared[1])
			require.Equal(t, []any{"b", "a"}, get("ordered").(*Dict).Keys)
			require.Equal(t, []any{int64(7)}, get("set").(*Set).Items)
			require.Equal(t, strings.Repeat("x", 300), get("long"))
			empty := get("empty").(*List).Items
			require.Empty(t, empty[0].(*Dict).Keys)
			require.Empty(t, empty[1].(*List).Items)
			require.Equal(t, "", empty[2])
		})
	}
}

// emptied makes nil tuples empty ones, as protocol 0 writes them.
func emptied(items []any) []any {
	for i, v := range items {
		if t, ok := v.(Tuple); ok && len(t) == 0 {
			items[i] = Tuple{}
		}
	}
	return items
}

func TestWhatIsNotOnTheListIsNamed(t *testing.T) {
	for protocol := range 6 {
		_, err := decode(golden(t, fmt.Sprintf("attack%d.pkl", protocol)))
		var e *GlobalError
		require.ErrorAs(t, err, &e)
		require.Equal(t, "posix.system", e.Name)
		require.Positive(t, e.Offset)
		require.ErrorContains(t, err, `names "posix.system"`)
	}
	for name, data := range map[string]string{
		"builtins.eval": "cbuiltins\neval\n(S'1'\ntR.", "os.system": "\x80\x04\x8c\x02os\x8c\x06system\x93.",
		"torch.hub.load": "ctorch.hub\nload\n.", "builtins.getattr": "\x80\x02cbuiltins\ngetattr\nq\x00.", "collections.OrderedDict.fromkeys": "ccollections\nOrderedDict.fromkeys\n.",
	} {
		_, err := decode([]byte(data))
		var e *GlobalError
		require.ErrorAs(t, err, &e)
		require.Equal(t, name, e.Name)
	}
	_, err := NewReader(strings.NewReader("ccollections\nOrderedDict\n."), 100, Config{}).Decode()
	require.ErrorContains(t, err, "collections.OrderedDict")
}

func TestInvalidPickles(t *testing.T) {
	big := strings.Repeat("9", maxLine+1)
	for name, c := range map[string]struct{ data, expected, found string }{
		"nothing":                {"", "another byte", "end of the data"},
		"no stop":                {"N", "another byte", "end of the data"},
		"stop alone":             {".", "one value", "0"},
		"two values":             {"NN.", "one value", "2"},
		"a mark left":            {"(.", "one value", "1"},
		"text":                   {"hello", "memo", "0"},
		"other byte":             {"\xff", "an instruction", "0xff"},
		"later protocol":         {"\x80\x06N.", "at most 5", "6"},
		"class of Python 1":      {"(iposix\nsystem\n.", "makes data", "INST"},
		"object of Python 1":     {"(N.", "one value", "2"},
		"OBJ":                    {"(No.", "makes data", "OBJ"},
		"extension":              {"\x82\x01.", "makes data", "EXT1"},
		"buffer":                 {"\x97.", "makes data", "NEXT_BUFFER"},
		"pop of nothing":         {"0.", "a value", "none"},
		"pop through a mark":     {"N(0a.", "a value", "none"},
		"append through a mark":  {"](a.", "a value", "none"},
		"tuple without mark":     {"Nt.", "a mark", "none"},
		"append to None":         {"NNa.", "a list or set", "None"},
		"fill a list":            {"]NNs.", "a dict", "a list of 0"},
		"odd dict":               {"(Nd.", "in turns", "1"},
		"memo":                   {"h\x05.", "holds something", "5"},
		"memo by text":           {"gx\n.", "whole number", `"x"`},
		"negative memo":          {"Np-1\n.", "a place in the memo", "-1"},
		"huge text":              {"X\xff\xff\xff\xffabc", "at most the 3", "4294967295"},
		"huge bytes":             {"\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc", "at most the 3", "18446744073709551615"},
		"huge frame":             {"\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.", "a frame of at most the 2", "9223372036854775807"},
		"huge number":            {"\x8b\xff\xff\xff\x7fabc", "at most the 3", "2147483647"},
		"not UTF-8":              {"\x8c\x01\xff.", "UTF-8", "are not"},
		"surrogate":              {"V\\ud800\n.", "character's number", "ud800"},
		"cut escape":             {"V\\u12\n.", "character's number", "u12"},
		"no quotes":              {"Sabc\n.", "in quotes", "abc"},
		"quote within":           {"S'a'b'\n.", "in quotes", "a quote"},
		"escape":                 {"S'\\q'\n.", "escapes", `\q`},
		"int":                    {"I1x\n.", "whole number", "1x"},
		"float":                  {"Fx\n.", "a number", `"x"`},
		"long line":              {"L" + big + "\n.", "a line of at most", "longer"},
		"call of text":           {"Vx\n)R.", "may be called", `the text "x"`},
		"call of a dict":         {"})R.", "may be called", "a dict"},
		"arguments":              {"ccollections\nOrderedDict\n]R.", "tuple of arguments", "a list"},
		"wrong arguments":        {"ccollections\nOrderedDict\nK\x01\x85R.", "arguments that fit", "1 instead of a list"},
		"wrong pairs":            {"ccollections\nOrderedDict\n]K\x01a\x85R.", "arguments that fit", "1 instead of a key"},
		"named arguments":        {"ccollections\nOrderedDict\n)}K\x01K\x01s\x92.", "without named", "a dict of 1"},
		"encoding":               {"c_codecs\nencode\nVx\nVutf-16\n\x86R.", "arguments that fit", "other than latin1"},
		"not latin1":             {"c_codecs\nencode\nV\\u20ac\nVlatin1\n\x86R.", "arguments that fit", "does not have"},
		"state of text":          {"Vx\nNb.", "takes a state", `the text "x"`},
		"persistent":             {"NQ.", "data", "persistent id"},
		"persistent by text":     {"Px\n.", "data", "persistent id"},
		"names that are numbers": {"K\x01K\x02\x93.", "a module and a name", "1 and 2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode([]byte(c.data))
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Contains(t, e.Expected, c.expected)
			require.Contains(t, e.Found, c.found)
			require.LessOrEqual(t, e.Offset, int64(len(c.data)))
		})
	}
}

// allocated is how much memory f takes in all, whether it is freed or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Pickles that name one thing again and again, nest without end, or announce more than they have.
func TestMemoryIsBounded(t *testing.T) {
	list := "]q\x00(" + strings.Repeat("N", 100_000) + "e"
	for name, data := range map[string]string{
		"empty dicts":     "(" + strings.Repeat("}", 4_300_000),
		"nested lists":    strings.Repeat("]", 100_000) + strings.Repeat("a", 99_999) + ".",
		"copied lists":    list + strings.Repeat("0c__builtin__\nlist\nh\x00\x85R", 10_000) + ".",
		"copied text":     "V" + strings.Repeat("\\u00ff", 200_000) + "\nq\x00" + strings.Repeat("0c_codecs\nencode\nh\x00Vlatin1\n\x86R", 100_000) + ".",
		"laughs":          "]q\x00" + strings.Repeat("h\x00\x86q\x00", 100_000) + ".",
		"a long key":      "}q\x00X\x00\x00\x10\x00" + strings.Repeat("x", 1<<20) + "q\x01Ns" + strings.Repeat("h\x01Ns", 100_000) + ".",
		"memo far out":    "Nr\xff\xff\xff\xff" + strings.Repeat("r\xf0\xff\xff\xff", 1000) + ".",
		"marks":           strings.Repeat("(", 1_000_000) + ".",
		"list within it":  "]q\x00h\x00a.",
		"many duplicates": "N" + strings.Repeat("2", 5_000_000) + ".",
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			got := allocated(func() { _, err = decode([]byte(data)) })
			require.Less(t, got, uint64(800<<20))
			_ = err // some are sound
		})
	}
}

// Cut at every place and with every byte changed, files are errors or other values, and nothing panics.
func TestDamagedPickles(t *testing.T) {
	for protocol := range 6 {
		data := golden(t, fmt.Sprintf("values%d.pkl", protocol))
		for n := range data {
			_, err := decode(data[:n])
			require.Error(t, err, "cut at %d", n)
		}
		for i := range data {
			changed := bytes.Clone(data)
			for _, b := range []byte{0x00, 0xff, data[i] ^ 1, data[i] ^ 0x80, '.', '0', 'R'} {
				changed[i] = b
				decode(changed)
			}
		}
	}
}

func TestSeveralInARow(t *testing.T) {
	data := "K\x01.K\x02.rest"
	r := NewReader(strings.NewReader(data), int64(len(data)), Config{})
	for i := range 2 {
		v, err := r.Decode()
		require.NoError(t, err)
		require.Equal(t, int64(i+1), v)
	}
	require.Equal(t, int64(6), r.Offset())
}

func FuzzDecode(f *testing.F) {
	for protocol := range 6 {
		f.Add(golden(f, fmt.Sprintf("values%d.pkl", protocol)))
		f.Add(golden(f, fmt.Sprintf("attack%d.pkl", protocol)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := Config{Global: Standard, Persistent: func(id any) (any, error) { return id, nil }}
		r := NewReader(bytes.NewReader(data), int64(len(data)), c)
		v, err := r.Decode()
		if err == nil {
			_ = Describe(v)
		} else if err.Error() == "" {
			t.Fatal("an error without words")
		}
		if r.Offset() > int64(len(data)) {
			t.Fatal("read beyond the end")
		}
	})
}
