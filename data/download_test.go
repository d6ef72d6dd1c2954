package data

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// watcher records what a progress bar would show.
type watcher struct {
	starts [][2]int64 // total, done
	added  int64
	errs   []error
}

func (w *watcher) Start(_ string, total, done int64) {
	w.starts = append(w.starts, [2]int64{total, done})
}
func (w *watcher) Add(n int)        { w.added += int64(n) }
func (w *watcher) Finish(err error) { w.errs = append(w.errs, err) }

// fetch downloads one file "f" of the site with a fetcher whose waits are short.
func (s *site) fetch(t *testing.T, ctx context.Context, target string, body []byte, change func(*fetcher)) (*watcher, error) {
	t.Helper()
	w := &watcher{}
	o := s.only("")
	o.Progress = w
	f := newFetcher(o)
	defer f.close()
	f.pause = time.Millisecond
	if change != nil {
		change(f)
	}
	return w, f.get(ctx, []string{s.URL + "/f"}, target, int64(len(body)), digest(body))
}

func TestDownloadGoesOnWhereItBrokeOff(t *testing.T) {
	body := cifarBytes(CIFAR10, 100)
	web := newSite(t, map[string][]byte{"f": body})
	web.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if len(web.asked()) == 1 {
			breakAfter(w, body, 100000)
		}
		return false
	})
	target := filepath.Join(t.TempDir(), "f")
	w, err := web.fetch(t, bg, target, body, nil)
	require.NoError(t, err)
	require.Len(t, web.asked(), 2)
	require.NotEqual(t, "f ", web.asked()[1], "a range is asked for")
	require.Equal(t, int64(len(body)), w.added, "no byte twice")
	require.Equal(t, int64(len(body)), w.starts[1][0])
	require.Positive(t, w.starts[1][1])
	got, err := os.ReadFile(target)
	require.NoError(t, err)
	require.Equal(t, body, got)
	require.Equal(t, []string{"f"}, names(t, filepath.Dir(target)))
}

func TestDownloadGoesOnInAnotherRun(t *testing.T) {
	body := cifarBytes(CIFAR10, 100)
	web := newSite(t, map[string][]byte{"f": body})
	dead := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Range") == "" {
			breakAfter(w, body, 70000)
		}
		panic(http.ErrAbortHandler)
	}
	web.answer(dead)
	target := filepath.Join(t.TempDir(), "f")
	_, err := web.fetch(t, bg, target, body, nil)
	require.Error(t, err)
	require.Equal(t, []string{"f.part"}, names(t, filepath.Dir(target)))
	web.answer(nil)
	w, err := web.fetch(t, bg, target, body, nil)
	require.NoError(t, err)
	require.Less(t, w.added, int64(len(body)))
	require.Equal(t, []string{"f"}, names(t, filepath.Dir(target)))
}

func TestDownloadWithoutRanges(t *testing.T) {
	body := cifarBytes(CIFAR10, 9)
	for name, status := range map[string]int{"ignored": 200, "another range": 206} {
		t.Run(name, func(t *testing.T) {
			web := newSite(t, map[string][]byte{"f": body})
			web.answer(func(w http.ResponseWriter, r *http.Request) bool {
				if status == 206 && r.Header.Get("Range") != "" {
					w.Header().Set("Content-Range", "bytes 0-9/27657")
					w.WriteHeader(206)
				}
				w.Write(body)
				return true
			})
			target := filepath.Join(t.TempDir(), "f")
			write(t, target+".part", body[:5000])
			_, err := web.fetch(t, bg, target, body, nil)
			require.NoError(t, err)
			got, err := os.ReadFile(target)
			require.NoError(t, err)
			require.Equal(t, body, got)
		})
	}
}

func TestDownloadOfAFileThatIsThereAlready(t *testing.T) {
	body := cifarBytes(CIFAR10, 3)
	web := newSite(t, map[string][]byte{"f": body})
	target := filepath.Join(t.TempDir(), "f")
	write(t, target+".part", body)
	w, err := web.fetch(t, bg, target, body, nil) // the server answers 416
	require.NoError(t, err)
	require.Zero(t, w.added)
	require.FileExists(t, target)

	write(t, target+"2.part", append(slices.Clone(body), 1, 2, 3))
	_, err = web.fetch(t, bg, target+"2", body, nil)
	require.NoError(t, err, "a .part longer than the file starts over")
}

func TestDownloadWithAWrongBeginning(t *testing.T) {
	body := cifarBytes(CIFAR10, 3)
	web := newSite(t, map[string][]byte{"f": body})
	target := filepath.Join(t.TempDir(), "f")
	write(t, target+".part", []byte("something else"))
	w, err := web.fetch(t, bg, target, body, nil)
	require.NoError(t, err)
	require.Len(t, web.asked(), 2, "resumed, then from the start")
	require.Len(t, w.errs, 2)
	_, ok := errors.AsType[*DigestError](w.errs[0])
	require.True(t, ok)
}

func TestDownloadTriesAgainAfterServerErrors(t *testing.T) {
	body := cifarBytes(CIFAR10, 1)
	web := newSite(t, map[string][]byte{"f": body})
	web.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if len(web.asked()) < 3 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	_, err := web.fetch(t, bg, filepath.Join(t.TempDir(), "f"), body, nil)
	require.NoError(t, err)
	web.answer(func(w http.ResponseWriter, r *http.Request) bool {
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return true
	})
	dir := t.TempDir()
	_, err = web.fetch(t, bg, filepath.Join(dir, "f"), body, nil)
	require.ErrorContains(t, err, "503")
	require.Empty(t, names(t, dir))
}

func TestDownloadStalls(t *testing.T) {
	body := cifarBytes(CIFAR10, 20)
	web := newSite(t, map[string][]byte{"f": body})
	web.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if len(web.asked()) > 1 {
			return false
		}
		w.Header().Set("Content-Length", "61460")
		w.Write(body[:30000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	})
	w, err := web.fetch(t, bg, filepath.Join(t.TempDir(), "f"), body, func(f *fetcher) { f.stall = 50 * time.Millisecond })
	require.NoError(t, err)
	require.ErrorContains(t, w.errs[0], "nothing arrived for 50ms")
}

func TestDownloadTooMuch(t *testing.T) {
	body := []byte("x")
	web := newSite(t, nil)
	web.answer(func(w http.ResponseWriter, r *http.Request) bool {
		w.(http.Flusher).Flush() // chunked: no length is announced
		block := make([]byte, 1<<20)
		for range 20 {
			if _, err := w.Write(block); err != nil {
				break
			}
		}
		return true
	})
	dir := t.TempDir()
	_, err := web.fetch(t, bg, filepath.Join(dir, "f"), body, nil)
	require.ErrorContains(t, err, "the server sends more than")
	web.answer(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", "17000000")
		w.WriteHeader(200)
		return true
	})
	_, err = web.fetch(t, bg, filepath.Join(dir, "g"), body, nil)
	require.ErrorContains(t, err, "the server offers 17,000,000 bytes, expected 1")
}

func TestDownloadCancelled(t *testing.T) {
	body := cifarBytes(CIFAR10, 50)
	web := newSite(t, map[string][]byte{"f": body})
	ctx, cancel := context.WithCancel(bg)
	web.answer(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", "153650")
		w.Write(body[:80000])
		w.(http.Flusher).Flush()
		time.Sleep(20 * time.Millisecond)
		cancel()
		<-r.Context().Done()
		return true
	})
	dir := t.TempDir()
	w, err := web.fetch(t, ctx, filepath.Join(dir, "f"), body, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, w.errs, 1)
	require.ErrorIs(t, w.errs[0], context.Canceled, "and not that nothing arrived")
	require.Len(t, web.asked(), 1)
	require.Equal(t, []string{"f.part"}, names(t, dir), "what arrived serves the next run")
}

// fullDisk takes n bytes.
type fullDisk struct {
	w io.Writer
	n int
}

func (f *fullDisk) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	return f.w.Write(p)
}

func TestDownloadToAFullDisk(t *testing.T) {
	body := cifarBytes(CIFAR10, 300)
	web := newSite(t, map[string][]byte{"f": body})
	dir := t.TempDir()
	_, err := web.fetch(t, bg, filepath.Join(dir, "f"), body, func(f *fetcher) {
		f.writer = func(w io.Writer) io.Writer { return &fullDisk{w, 400000} }
	})
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "cannot write "+filepath.Join(dir, "f.part"))
	require.ErrorContains(t, err, "make room there")
	require.Empty(t, names(t, dir))
}

func TestTwoDownloadsAtOnce(t *testing.T) {
	part := filepath.Join(t.TempDir(), "f.part")
	one, err := openPart(bg, part, t.Logf)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
	defer cancel()
	if _, err = openPart(ctx, part, t.Logf); err == nil {
		t.Skip("no file locks here")
	}
	require.ErrorIs(t, err, context.DeadlineExceeded)
	one.Write([]byte("x"))
	done := make(chan error)
	go func() {
		two, err := openPart(bg, part, t.Logf)
		if err == nil {
			two.close()
		}
		done <- err
	}()
	require.NoError(t, one.rename(strings.TrimSuffix(part, ".part")))
	require.NoError(t, <-done)
	require.Equal(t, []string{"f"}, names(t, filepath.Dir(part)))
}
