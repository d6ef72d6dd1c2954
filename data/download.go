package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/stheno-ml/stheno/internal/thousands"
)

// Progress watches one download after the other. Its methods are called from one goroutine.
type Progress interface {
	// Start begins a file: its name, the bytes in all (-1 when not known), and those already here from an earlier
	// attempt.
	Start(name string, total, done int64)
	// Add reports n more bytes.
	Add(n int)
	// Finish ends the file; err is nil when it is complete and its digest right. A file that has to be started over
	// is finished with an error and started again.
	Finish(err error)
}

// fetcher downloads files, one at a time.
type fetcher struct {
	client   *http.Client
	ownsConn bool
	logf     func(string, ...any)
	progress Progress
	stall    time.Duration // a connection that delivers nothing for so long is broken off
	pause    time.Duration // before the first repetition; doubles
	tries    int           // broken transfers in a row without a single new byte, per address

	writer func(io.Writer) io.Writer // tests: a disk that fills up
}

func newFetcher(o *Options) *fetcher {
	f := &fetcher{client: o.Client, logf: o.logf, progress: o.Progress, stall: 30 * time.Second, pause: 500 * time.Millisecond, tries: 3}
	if f.client == nil {
		timeout := o.ConnectTimeout
		if timeout <= 0 {
			timeout = 2 * time.Second
		}
		// The dialer's timeout includes the name lookup.
		f.client = &http.Client{Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: timeout}).DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: 15 * time.Second,
			ForceAttemptHTTP2:     true,
		}}
		f.ownsConn = true
	}
	if f.progress == nil {
		f.progress = noProgress{}
	}
	return f
}

func (f *fetcher) close() {
	if f.ownsConn {
		f.client.CloseIdleConnections()
	}
}

type noProgress struct{}

func (noProgress) Start(string, int64, int64) {}
func (noProgress) Add(int)                    {}
func (noProgress) Finish(error)               {}

// Outcomes of one request that the loop in get tells apart.
type (
	brokenError struct{ err error } // the transfer stopped: worth another try at the same address
	serverError struct{ err error } // this address does not serve it: go on to the next one
)

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }
func (e *serverError) Error() string { return e.err.Error() }
func (e *serverError) Unwrap() error { return e.err }

// get downloads one file from the first of urls that serves it with the digest wanted (MD5, hexadecimal), and gives it
// the name target. size is what it should measure (0: not known). Bytes left in target+".part" by an earlier attempt are
// used. When everything fails, what arrived stays in the .part file, unless it is wrong or the disk is full.
func (f *fetcher) get(ctx context.Context, urls []string, target string, size int64, digest string) error {
	part, err := openPart(ctx, partName(target), f.logf)
	if err != nil {
		return err
	}
	defer part.close()
	if _, err := os.Stat(target); err == nil {
		return nil // another process brought it while this one waited for the .part file
	}
	var failures []error
	for _, url := range urls {
		err := f.from(ctx, url, part, size, digest)
		if err == nil {
			return part.rename(target)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, ok := errors.AsType[*CacheError](err); ok {
			if isDiskFull(err) {
				part.discard()
			}
			return err
		}
		failures = append(failures, addressError(url, err))
	}
	return joinErrors(failures)
}

// from works on one address until the file is complete and right, or it is clear that it never will be.
func (f *fetcher) from(ctx context.Context, url string, part *partFile, size int64, digest string) error {
	pause := f.pause
	for idle, restarts := 0, 0; ; {
		before := part.size
		resumed := before > 0
		err := f.once(ctx, url, part, size)
		if err == nil {
			got, err := fileMD5(part.path)
			if err != nil {
				return &CacheError{Path: part.path, Err: err}
			}
			if got == digest {
				f.progress.Finish(nil)
				return nil
			}
			bad := &DigestError{File: path.Base(url), Want: digest, Got: got}
			f.progress.Finish(bad)
			if err := part.truncate(); err != nil {
				return err
			}
			// The beginning may have come from elsewhere; a file fetched whole that is wrong stays wrong.
			if resumed && restarts == 0 {
				f.logf("%v; starting over", bad)
				restarts++
				continue
			}
			return bad
		}
		if _, ok := errors.AsType[*brokenError](err); !ok || ctx.Err() != nil {
			return err
		}
		if part.size > before {
			idle, pause = 0, f.pause
		} else if idle++; idle >= f.tries {
			return err
		}
		f.logf("%s broke off after %s bytes (%v); going on", path.Base(url), thousands.Format(part.size), shortNetError(err))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// once makes one request and appends what arrives to part.
func (f *fetcher) once(ctx context.Context, url string, part *partFile, size int64) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(within, http.MethodGet, url, nil)
	if err != nil {
		return &serverError{err}
	}
	// Without this the transport would ask for compression and unpack a .gz that a server labels as encoded.
	req.Header.Set("Accept-Encoding", "identity")
	if part.size > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", part.size))
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return &serverError{err}
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusPartialContent:
		if start, ok := rangeStart(resp.Header.Get("Content-Range")); !ok || start != part.size {
			if err := part.truncate(); err != nil {
				return err
			}
			return &brokenError{errors.New("the server sent another range than asked for")}
		}
	case http.StatusOK: // a server that knows no ranges sends everything
		if err := part.truncate(); err != nil {
			return err
		}
	case http.StatusRequestedRangeNotSatisfiable:
		if size > 0 && part.size == size {
			f.progress.Start(path.Base(url), size, size)
			return nil // complete already; the digest decides
		}
		if err := part.truncate(); err != nil {
			return err
		}
		return &brokenError{errors.New("the server has fewer bytes than were here")}
	default:
		err := fmt.Errorf("the server answers %q", resp.Status)
		if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
			return &brokenError{err}
		}
		return &serverError{err}
	}
	total := size
	if resp.ContentLength >= 0 {
		total = part.size + resp.ContentLength
	}
	// Nothing we know comes near this bound: it keeps a server that never stops from filling the disk.
	if limit := size + 16<<20; size > 0 && total > limit {
		return &serverError{fmt.Errorf("the server offers %s bytes, expected %s", thousands.Format(total), thousands.Format(size))}
	}
	f.logf("downloading %s", url)
	if total == 0 {
		total = -1
	}
	f.progress.Start(path.Base(url), total, part.size)
	err = f.copy(ctx, part, resp.Body, cancel, size)
	if err == nil && total > 0 && part.size < total {
		err = &brokenError{io.ErrUnexpectedEOF}
	}
	if err != nil {
		f.progress.Finish(err)
	}
	return err
}

// copy appends what arrives to part. Where nothing does for a while, it calls cancel, which ends body; ctx ends it, too.
func (f *fetcher) copy(ctx context.Context, part *partFile, body io.Reader, cancel func(), size int64) error {
	var w io.Writer = part
	if f.writer != nil {
		w = f.writer(w)
	}
	stalled := time.AfterFunc(f.stall, cancel)
	defer stalled.Stop()
	buf := make([]byte, 128<<10)
	for {
		n, err := body.Read(buf)
		stalled.Reset(f.stall)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return &CacheError{Path: part.path, Err: pathCause(err)}
			}
			f.progress.Add(n)
			if size > 0 && part.size > size+16<<20 {
				return &serverError{fmt.Errorf("the server sends more than %s bytes, expected %s", thousands.Format(part.size), thousands.Format(size))}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			if stopped := ctx.Err(); stopped != nil {
				err = stopped
			} else if errors.Is(err, context.Canceled) {
				err = fmt.Errorf("nothing arrived for %v", f.stall)
			}
			return &brokenError{err}
		}
	}
}

// rangeStart reads the first number of "bytes 100-199/200".
func rangeStart(header string) (int64, bool) {
	rest, ok := strings.CutPrefix(header, "bytes ")
	first, _, dash := strings.Cut(rest, "-")
	n, err := strconv.ParseInt(first, 10, 64)
	return n, ok && dash && err == nil
}

// partName is the file under which an unfinished download of target is kept.
func partName(target string) string { return filepath.Clean(target) + ".part" }
