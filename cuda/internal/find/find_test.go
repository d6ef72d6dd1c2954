package find

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// machine is a machine with some empty files and an environment.
func machine(t *testing.T, env map[string]string, files ...string) Machine {
	t.Helper()
	root := t.TempDir()
	for _, f := range files {
		require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(f)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, f), nil, 0o644))
	}
	return Machine{Root: root, Getenv: func(name string) string { return env[name] }}
}

var errRefused = errors.New("refused")

// tried are the files that Load tries if none can be loaded.
func tried(m Machine, l Library) ([]string, error) {
	var out []string
	_, _, err := Load(m, l, func(file string) (int, error) {
		out = append(out, file)
		return 0, errRefused
	})
	return out, err
}

func in(folder string, names ...string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = folder + "/" + n
	}
	return out
}

func cudnnIn(folder string) []string {
	return append(in(folder, CuDNN.Siblings...), folder+"/libcudnn.so.9")
}

func TestLoadTriesPlacesInOrder(t *testing.T) {
	debian, target := triples()
	want := []string{
		"/mine/libnvrtc.so.12",
		"/toolkit/lib64/libnvrtc.so.13",
		"/toolkit/lib64/libnvrtc.so.12",
		"/usr/local/cuda/targets/" + target + "/lib/libnvrtc.so.12",
		"/usr/local/cuda-12.10/lib64/libnvrtc.so.12",
		"/usr/local/cuda-12.9/lib64/libnvrtc.so.12",
		"/venv/lib/python3.12/site-packages/nvidia/cu13/lib/libnvrtc.so.13",
		"/venv/lib/python3.9/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
		"/configured/libnvrtc.so.12",
		"/usr/lib/" + debian + "/libnvrtc.so.12",
		"/versions/3.11/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
		"/home/me/.local/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
		"/usr/local/lib/python3.11/dist-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
		"/opt/venv/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
	}
	m := machine(t, map[string]string{
		"LD_LIBRARY_PATH": "/absent:relative::/mine", "CUDA_HOME": "/toolkit", "VIRTUAL_ENV": "/venv", "HOME": "/home/me", "PATH": "/usr/bin:/versions/3.11/bin",
	}, append(want, "/versions/3.11/bin/python3", "/etc/ld.so.conf.d/my.conf")...)
	require.NoError(t, os.WriteFile(m.path("/etc/ld.so.conf.d/my.conf"), []byte("# mine\n/configured # here\n"), 0o644))

	got, err := tried(m, NVRTC)
	require.ErrorContains(t, err, "NVRTC was not found")
	require.Equal(t, append(want, NVRTC.Sonames...), got, "and the linker's own search last")
}

func TestLoadStopsAtTheFirstThatLoads(t *testing.T) {
	m := machine(t, map[string]string{"LD_LIBRARY_PATH": "/a:/b:/c"}, "/a/libnvrtc.so.12", "/b/libnvrtc.so.12", "/c/libnvrtc.so.12")
	x, file, err := Load(m, NVRTC, func(file string) (string, error) {
		switch {
		case strings.HasPrefix(file, "/a"):
			return "", errRefused
		case strings.HasPrefix(file, "/b"):
			return "opened " + file, nil
		}
		t.Error("tried", file)
		return "", errRefused
	})
	require.NoError(t, err)
	require.Equal(t, "/b/libnvrtc.so.12", file)
	require.Equal(t, "opened /b/libnvrtc.so.12", x)
}

func TestEnvironmentNamesTheLibrary(t *testing.T) {
	for _, given := range []string{"/mine", "/mine/libnvrtc.so.12"} {
		m := machine(t, map[string]string{"STHENO_NVRTC_PATH": given, "CUDA_HOME": "/toolkit"}, "/mine/libnvrtc.so.12", "/toolkit/lib64/libnvrtc.so.12")
		got, _ := tried(m, NVRTC)
		require.Equal(t, []string{"/mine/libnvrtc.so.12"}, got, "and no other is tried")
	}
	m := machine(t, map[string]string{"STHENO_NVRTC_PATH": "/nothing", "CUDA_HOME": "/toolkit"}, "/toolkit/lib64/libnvrtc.so.12")
	got, err := tried(m, NVRTC)
	require.Empty(t, got)
	require.ErrorContains(t, err, "not in STHENO_NVRTC_PATH=/nothing")
}

func TestMajorNewerThanTheDriverComesLast(t *testing.T) {
	l := NVRTC
	l.MaxMajor = 12
	m := machine(t, map[string]string{"LD_LIBRARY_PATH": "/a:/b"}, "/a/libnvrtc.so.13", "/a/libnvrtc.so.13.5", "/b/libnvrtc.so.12")
	require.NoError(t, os.Symlink("libnvrtc.so.13.5", m.path("/a/libnvrtc.so")))
	got, _ := tried(m, l)
	require.Equal(t, []string{"/b/libnvrtc.so.12", "/a/libnvrtc.so.13", "/a/libnvrtc.so"}, got[:3])
}

func TestCuDNNIsTriedOnlyWithItsCompanions(t *testing.T) {
	files := append(cudnnIn("/whole"), "/stray/libcudnn.so.9")
	m := machine(t, map[string]string{"LD_LIBRARY_PATH": "/stray:/whole"}, files...)
	got, err := tried(m, CuDNN)
	require.Equal(t, []string{"/whole/libcudnn.so.9"}, got, "no bare soname: its folder cannot be checked")
	require.ErrorContains(t, err, "tried /stray/libcudnn.so.9: its companion libcudnn_graph.so.9 is missing there")
	require.ErrorContains(t, err, "tried /whole/libcudnn.so.9: refused")
}

func TestLinksToOneFileAreTriedOnce(t *testing.T) {
	m := machine(t, map[string]string{"LD_LIBRARY_PATH": "/links:/real"}, append(cudnnIn("/real"), "/links/x")...)
	require.NoError(t, os.Symlink(m.path("/real/libcudnn.so.9"), m.path("/links/libcudnn.so.9")))
	require.NoError(t, os.Symlink(m.path("/real/libcudnn.so.9"), m.path("/real/libcudnn.so")))
	got, _ := tried(m, CuDNN)
	require.Equal(t, []string{"/links/libcudnn.so.9"}, got)
}

func TestErrorIsBoundedAndSaysWhatToDo(t *testing.T) {
	var path, files []string
	for i := range 40 {
		path = append(path, fmt.Sprintf("/p%d", i))
		files = append(files, fmt.Sprintf("/p%d/other", i))
	}
	m := machine(t, map[string]string{"LD_LIBRARY_PATH": strings.Join(path, ":")}, files...)
	_, err := tried(m, CuDNN)
	var none *NotFound
	require.ErrorAs(t, err, &none)
	require.Len(t, none.Places, 40)
	text := err.Error()
	require.Contains(t, text, "not in /p0\n")
	require.Contains(t, text, "not in 28 more")
	require.Contains(t, text, "pip install nvidia-cudnn-cu12; or set STHENO_CUDNN_PATH to its file or folder")
	require.Less(t, strings.Count(text, "\n"), 20)
}

// The dynamic linker takes relative folders from the working folder, and so do we.
func TestRelativeFolders(t *testing.T) {
	m := machine(t, map[string]string{"LD_LIBRARY_PATH": "build/sim"}, "/work/build/sim/libnvrtc.so.12")
	files, err := tried(m, NVRTC)
	require.Error(t, err)
	require.NotContains(t, files, "/work/build/sim/libnvrtc.so.12")
	m.Dir = "/work"
	files, err = tried(m, NVRTC)
	require.Error(t, err)
	require.Equal(t, "/work/build/sim/libnvrtc.so.12", files[0])
}
