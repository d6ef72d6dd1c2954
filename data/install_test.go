package data

import (
	"archive/tar"
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestInstall(t *testing.T) {
	for name, c := range map[string]*tiny{"archive": tinyCIFAR(), "idx": tinyIDX()} {
		t.Run(name, func(t *testing.T) {
			files := c.files
			if c.archive != nil {
				files = map[string][]byte{c.spec.archive: c.archive}
			}
			web := newSite(t, files)
			o := web.only(filepath.Join(t.TempDir(), "new", "cache"))
			s, err := c.spec.open(bg, o)
			c.check(t, s, err)
			var left []string
			for f := range c.files {
				left = append(left, c.spec.name+"/"+f)
			}
			require.ElementsMatch(t, append(left, c.spec.name), names(t, o.CacheDir), "no archive, no .part, nothing temporary")
			n := len(web.asked())
			s, err = c.spec.open(bg, o)
			c.check(t, s, err)
			require.Len(t, web.asked(), n, "the second time nothing is fetched")
		})
	}
}

func TestInstallFetchesOnlyWhatIsMissing(t *testing.T) {
	c := tinyIDX()
	web := newSite(t, c.files)
	o := web.only(t.TempDir())
	dir := c.put(t, filepath.Join(o.CacheDir, "mnist"))
	require.NoError(t, os.Remove(filepath.Join(dir, "t10k-images-idx3-ubyte.gz")))
	s, err := c.spec.open(bg, o)
	c.check(t, s, err)
	require.Equal(t, []string{"t10k-images-idx3-ubyte.gz "}, web.asked())
}

func TestDownloadWrongDigest(t *testing.T) {
	c := tinyCIFAR()
	web := newSite(t, map[string][]byte{c.spec.archive: tarball(entry{name: "train.bin", body: []byte("forged")})})
	o := web.only(filepath.Join(t.TempDir(), "cache"))
	_, err := c.spec.open(bg, o)
	_, ok := errors.AsType[*NotFoundError](err)
	require.True(t, ok)
	d, ok := errors.AsType[*DigestError](err)
	require.True(t, ok)
	require.Equal(t, c.spec.archiveMD5, d.Want)
	require.NoDirExists(t, o.CacheDir, "nothing is left")
	require.Len(t, web.asked(), 1, "what is wrong from the start is not fetched twice")
}

func TestDownloadNextMirror(t *testing.T) {
	c := tinyCIFAR()
	forged := newSite(t, map[string][]byte{c.spec.archive: []byte("<html>please log in</html>")})
	absent := newSite(t, nil)
	good := newSite(t, map[string][]byte{c.spec.archive: c.archive})
	o := good.only(t.TempDir())
	o.Mirrors = []string{absent.URL + "/", forged.URL, good.URL}
	s, err := c.spec.open(bg, o)
	c.check(t, s, err)

	o = good.only(filepath.Join(t.TempDir(), "x"))
	o.Mirrors = []string{absent.URL, forged.URL}
	_, err = c.spec.open(bg, o)
	require.ErrorContains(t, err, absent.URL+"/"+c.spec.archive+`: the server answers "404 Not Found"; `+forged.URL)
	require.NotContains(t, err.Error(), "\n")
	require.NoDirExists(t, o.CacheDir)
}

func TestUnwritableCache(t *testing.T) {
	c := tinyCIFAR()
	web := newSite(t, map[string][]byte{c.spec.archive: c.archive})
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, []byte("in the way"))
	_, err := c.spec.open(bg, web.only(filepath.Join(file, "cache")))
	e, ok := errors.AsType[*CacheError](err)
	require.True(t, ok, "%v", err)
	require.True(t, strings.HasPrefix(e.Path, file))
	require.Empty(t, web.asked(), "found out before anything is fetched")
	if os.Geteuid() == 0 {
		return // root may write anywhere
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o500))
	_, err = c.spec.open(bg, web.only(filepath.Join(dir, "cache")))
	require.ErrorIs(t, err, fs.ErrPermission)
}

func TestNoNetwork(t *testing.T) {
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := refused.Addr().String()
	refused.Close()
	start := time.Now()
	o := Options{CacheDir: filepath.Join(t.TempDir(), "c"), Mirrors: []string{"http://" + address, "http://stheno.invalid"}, noAuthors: true}
	s, notice, err := OpenOrSample(bg, "cifar100", o)
	require.NoError(t, err)
	require.Equal(t, SampleName, s.Name)
	require.Contains(t, notice, "cifar100 is not here (download: "+address+": no connection (connect: connection refused); stheno.invalid: ")
	require.NotContains(t, notice, "\n")
	require.Less(t, time.Since(start), 5*time.Second)
	require.NoDirExists(t, o.CacheDir)

	// A network that swallows everything, the name server's answers too.
	o.Client = &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: 50 * time.Millisecond,
		Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}}).DialContext}}
	o.Mirrors = []string{"http://swallowed.example"}
	start = time.Now()
	_, err = Open(bg, "cifar100", o)
	require.ErrorContains(t, err, "swallowed.example")
	require.Less(t, time.Since(start), 2*time.Second)
}

func TestUnpackIsSafe(t *testing.T) {
	c := tinyCIFAR()
	train, test := c.files["train.bin"], c.files["test.bin"]
	work := t.TempDir()
	outside := filepath.Join(work, "outside")
	write(t, outside, []byte("untouched"))
	unpack := func(entries ...entry) (string, error) {
		dir := filepath.Join(t.TempDir(), "into")
		require.NoError(t, os.Mkdir(dir, 0o755))
		path := filepath.Join(work, "a.tar.gz")
		write(t, path, tarball(entries...))
		return dir, c.spec.unpack(bg, path, dir)
	}
	dir, err := unpack(
		entry{name: "../../outside", body: []byte("overwritten")},
		entry{name: outside, body: []byte("overwritten")},
		entry{name: "x/train.bin", kind: tar.TypeSymlink, link: outside},
		entry{name: "x/test.bin", kind: tar.TypeLink, link: outside},
		entry{name: "../../x/train.bin", body: train},
		entry{name: "/etc/test.bin", body: test})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"train.bin", "test.bin"}, names(t, dir), "by plain name, inside, nothing else")
	got, err := os.ReadFile(outside)
	require.NoError(t, err)
	require.Equal(t, "untouched", string(got))

	for name, entries := range map[string][]entry{
		"wrong size":   {{name: "train.bin", body: train}, {name: "test.bin", body: train}},
		"wrong digest": {{name: "train.bin", body: train}, {name: "test.bin", body: append(slices.Clone(test[1:]), 0)}},
		"missing":      {{name: "train.bin", body: train}},
		"huge":         {{name: "train.bin", body: train}, {name: "bomb", body: make([]byte, 18<<20)}, {name: "test.bin", body: test}},
	} {
		dir, err := unpack(entries...)
		require.Error(t, err, name)
		require.Empty(t, names(t, dir), name)
	}
}
