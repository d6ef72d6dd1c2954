package data

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A tiny set in the form of each kind, with true digests, stands for the real ones.
type tiny struct {
	spec    *setSpec
	files   map[string][]byte // as found in a folder
	archive []byte
}

func digest(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

func tinyCIFAR() *tiny {
	train, test := cifarBytes(CIFAR100, 70), cifarBytes(CIFAR100, 5)
	c := &tiny{files: map[string][]byte{"train.bin": train, "test.bin": test}}
	c.archive = tarball(
		entry{name: "cifar-100-binary/", kind: tar.TypeDir},
		entry{name: "cifar-100-binary/fine_label_names.txt", body: []byte("apple\n")},
		entry{name: "cifar-100-binary/test.bin", body: test},
		entry{name: "cifar-100-binary/train.bin", body: train})
	s := *findSet("cifar100")
	s.files = []fileSpec{
		{name: "train.bin", count: 70, md5: digest(train), firm: true},
		{name: "test.bin", test: true, count: 5, md5: digest(test), firm: true},
	}
	s.archiveMD5, s.archiveLen = digest(c.archive), int64(len(c.archive))
	c.spec = &s
	return c
}

func tinyIDX() *tiny {
	pixels := bytes.Repeat([]byte{1, 2, 3, 4}, 28*28)
	c := &tiny{files: map[string][]byte{
		"train-images-idx3-ubyte.gz": zipped(idx(pixels, idxImages, 4, 28, 28)),
		"train-labels-idx1-ubyte.gz": zipped(idx([]byte{1, 2, 3, 4}, idxLabels, 4)),
		"t10k-images-idx3-ubyte.gz":  zipped(idx(pixels[:2*784], idxImages, 2, 28, 28)),
		"t10k-labels-idx1-ubyte.gz":  zipped(idx([]byte{9, 0}, idxLabels, 2)),
	}}
	s := *findSet("mnist")
	s.files = nil
	for _, f := range findSet("mnist").files {
		raw := c.files[f.name+".gz"]
		f.count = 4
		if f.test {
			f.count = 2
		}
		f.gzMD5, f.gzLen, f.md5 = digest(raw), int64(len(raw)), ""
		s.files = append(s.files, f)
	}
	c.spec = &s
	return c
}

type entry struct {
	name string
	kind byte
	body []byte
	link string
}

func tarball(entries ...entry) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	t := tar.NewWriter(z)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		if err := t.WriteHeader(&tar.Header{Name: e.name, Typeflag: e.kind, Size: int64(len(e.body)), Linkname: e.link, Mode: 0o644}); err != nil {
			panic(err)
		}
		t.Write(e.body)
	}
	t.Close()
	z.Close()
	return out.Bytes()
}

// put writes the set's files into dir.
func (c *tiny) put(t *testing.T, dir string) string {
	t.Helper()
	for name, body := range c.files {
		write(t, filepath.Join(dir, name), body)
	}
	return dir
}

func write(t *testing.T, path string, body []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, body, 0o644))
}

func (c *tiny) check(t *testing.T, s *Split, err error) {
	t.Helper()
	require.NoError(t, err)
	require.NoError(t, s.Train.Validate())
	require.NoError(t, s.Test.Validate())
	require.Equal(t, c.spec.files[0].count, s.Train.Len())
	require.NoError(t, s.Verify())
	if c.spec.isCIFAR() {
		want, err := ReadCIFAR(bytes.NewReader(c.files["train.bin"]), "", CIFAR100)
		require.NoError(t, err)
		require.Equal(t, want.Images, s.Train.Images)
		require.Equal(t, want.Labels, s.Train.Labels)
		require.Equal(t, want.CoarseLabels, s.Train.CoarseLabels)
	} else {
		require.Equal(t, []int32{9, 0}, s.Test.Labels)
		require.Equal(t, [3]int{28, 28, 1}, s.Test.Shape)
	}
}

// site is a server of files that can be made to misbehave.
type site struct {
	*httptest.Server
	files map[string][]byte

	mu       sync.Mutex
	requests []string // "name range"
	before   handler
}

// handler answers a request in place of the site, or returns false to leave it to the site.
type handler func(w http.ResponseWriter, r *http.Request) bool

// asked returns the requests so far.
func (s *site) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// answer makes h the first to see the requests from now on.
func (s *site) answer(h handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = h
}

func newSite(t *testing.T, files map[string][]byte) *site {
	s := &site{files: files}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := filepath.Base(r.URL.Path)
		s.mu.Lock()
		s.requests = append(s.requests, name+" "+r.Header.Get("Range"))
		h := s.before
		s.mu.Unlock()
		if h != nil && h(w, r) {
			return
		}
		body, ok := s.files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	}))
	t.Cleanup(s.Close)
	return s
}

// breakAfter answers like a server that promises everything and dies after n bytes of what was asked for.
func breakAfter(w http.ResponseWriter, body []byte, n int) {
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.Write(body[:n])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// names lists what lies below dir.
func names(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && path != dir {
			rel, _ := filepath.Rel(dir, path)
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	}))
	return all
}

// only asks for downloads from the site alone, into dir.
func (s *site) only(dir string) *Options {
	return &Options{CacheDir: dir, Mirrors: []string{s.URL}, noAuthors: true}
}
