package data

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"time"
)

// partFile is an unfinished download, opened for appending and locked against other processes.
type partFile struct {
	path string
	file *os.File
	size int64
}

// openPart opens or makes the file and locks it, waiting while another process holds it. The lock is the operating
// system's and ends with the process, however that ends.
func openPart(ctx context.Context, path string, logf func(string, ...any)) (*partFile, error) {
	for told := false; ; {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, &CacheError{Path: path, Err: pathCause(err)}
		}
		if !tryLock(file) {
			file.Close()
			if !told {
				logf("another process is downloading %s; waiting for it", filepath.Base(path))
				told = true
			}
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(200 * time.Millisecond):
			}
			continue
		}
		// The other process may have renamed or removed the file between our opening and locking it.
		mine, err1 := file.Stat()
		there, err2 := os.Stat(path)
		if err1 != nil || err2 != nil || !os.SameFile(mine, there) {
			file.Close()
			continue
		}
		p := &partFile{path: path, file: file, size: mine.Size()}
		if _, err := file.Seek(0, io.SeekEnd); err != nil {
			file.Close()
			return nil, &CacheError{Path: path, Err: pathCause(err)}
		}
		return p, nil
	}
}

// Write appends.
func (p *partFile) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	p.size += int64(n)
	return n, err
}

// truncate starts over.
func (p *partFile) truncate() error {
	if err := p.file.Truncate(0); err != nil {
		return &CacheError{Path: p.path, Err: pathCause(err)}
	}
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return &CacheError{Path: p.path, Err: pathCause(err)}
	}
	p.size = 0
	return nil
}

// rename makes the finished file durable and gives it its name.
func (p *partFile) rename(target string) error {
	if err := p.file.Sync(); err != nil {
		return &CacheError{Path: p.path, Err: pathCause(err)}
	}
	// Windows does not rename open files. The file is complete and checked: a process that locks it now finds that
	// out, or finds the target there.
	p.file.Close()
	p.file = nil
	if err := os.Rename(p.path, target); err != nil {
		if _, gone := os.Stat(target); gone == nil {
			return nil
		}
		return &CacheError{Path: target, Err: err}
	}
	return nil
}

// discard removes the file.
func (p *partFile) discard() {
	if p.file != nil {
		p.file.Close()
		p.file = nil
	}
	os.Remove(p.path)
}

// close ends the use of the file; one that is empty is removed, one with content stays for the next attempt.
func (p *partFile) close() {
	if p.file == nil {
		return
	}
	if p.size == 0 {
		p.discard()
		return
	}
	p.file.Close()
	p.file = nil
}
