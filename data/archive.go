package data

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"path"
)

// walkArchive calls visit for every regular file of the archive whose base name is one of s's. Names are only
// compared, never used as paths; folders, links and devices are passed over. Damage anywhere, also behind the last
// file, is a *FormatError.
func walkArchive(ctx context.Context, archive string, s *setSpec, visit func(f *fileSpec, at string, size int64, r io.Reader) error) error {
	file, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("data: cannot open %s: %w", archive, pathCause(err))
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() == 0 {
		return formatError(archive, "the file is empty", 0, -1)
	}
	plain, err := gunzip(&contextReader{ctx, file})
	if err != nil {
		return readFault(archive, 0, err)
	}
	capped := &cappedReader{plain, 2*s.totalBytes() + 16<<20}
	t := tar.NewReader(capped)
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return archiveFault(ctx, archive, err)
		}
		for i := range s.files {
			f := &s.files[i]
			if h.Typeflag != tar.TypeReg || path.Base(h.Name) != f.name {
				continue
			}
			if err := visit(f, archive+":"+h.Name, h.Size, &tarReader{t}); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return err
			}
		}
	}
	// Reading on to the end makes gzip compare its checksum.
	if _, err := io.Copy(io.Discard, capped); err != nil {
		return archiveFault(ctx, archive, err)
	}
	return nil
}

func archiveFault(ctx context.Context, archive string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return readFault(archive, -1, &damage{err})
}

// tarReader marks the end of the archive in the middle of a file as damage.
type tarReader struct{ t *tar.Reader }

func (r *tarReader) Read(p []byte) (int, error) {
	n, err := r.t.Read(p)
	if err != nil && err != io.EOF {
		err = &damage{err}
	}
	return n, err
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
