package cache

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEntriesComeBack(t *testing.T) {
	t.Setenv(Env, t.TempDir()+"/deep/folder")
	d := Default()
	require.Nil(t, d.Get("a"))
	require.NoError(t, d.Put("a", []byte("first")))
	require.NoError(t, d.Put("b", []byte("second")))
	require.Equal(t, "first", string(d.Get("a")))
	require.Equal(t, "second", string(Default().Get("b")))
	d.Remove("a")
	require.Nil(t, d.Get("a"))
}

func TestDamagedEntriesAreForgotten(t *testing.T) {
	t.Setenv(Env, t.TempDir())
	d := Default()
	require.NoError(t, d.Put("a", []byte("whole")))
	b, err := os.ReadFile(d.file("a"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(d.file("a"), b[:len(b)-1], 0o644))
	require.Nil(t, d.Get("a"))
	require.NoFileExists(t, d.file("a"))
	require.NoError(t, d.Put("a", []byte("whole")))
	require.Equal(t, "whole", string(d.Get("a")))
}

func TestOffAndUnwritable(t *testing.T) {
	t.Setenv(Env, "off")
	d := Default()
	require.Nil(t, d)
	require.NoError(t, d.Put("a", []byte("x")))
	d.Remove("a")
	require.Nil(t, d.Get("a"))

	file := t.TempDir() + "/file"
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	t.Setenv(Env, file)
	require.Error(t, Default().Put("a", []byte("x")))
	require.Nil(t, Default().Get("a"))

	t.Setenv(Env, "kernels")
	require.True(t, filepath.IsAbs(Default().path))
}
