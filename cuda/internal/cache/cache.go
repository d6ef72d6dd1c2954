// Package cache keeps on disk what takes long to find out, compiled kernels and which of a library's ways to compute something is the
// fastest, so that only the first run of a program on a machine waits for it.
package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
)

// Env is the environment variable that names the folder; "off" turns the cache off.
const Env = "STHENO_CUDA_CACHE"

// Dir is a folder of entries. A nil Dir keeps nothing. What cannot be read is as if it were not there: the cache saves time and is
// needed for nothing else.
type Dir struct{ path string }

// Default is the folder that Env names, else stheno/cuda in the user's cache folder.
func Default() *Dir {
	path := os.Getenv(Env)
	switch path {
	case "off":
		return nil
	case "":
		user, err := os.UserCacheDir()
		if err != nil {
			return nil
		}
		path = filepath.Join(user, "stheno", "cuda")
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return &Dir{path}
}

// Folder is a folder of entries within this one.
func (d *Dir) Folder(name string) *Dir {
	if d == nil {
		return nil
	}
	return &Dir{filepath.Join(d.path, name)}
}

// Path is the folder's name, "" if nothing is kept.
func (d *Dir) Path() string {
	if d == nil {
		return ""
	}
	return d.path
}

// sum is the digest in front of every entry: half of an entry must not be taken for one.
const sum = sha256.Size

// Get returns the entry of a key, nil if there is none or it is damaged.
func (d *Dir) Get(key string) []byte {
	if d == nil {
		return nil
	}
	b, err := os.ReadFile(d.file(key))
	if err != nil || len(b) <= sum {
		return nil
	}
	if digest := sha256.Sum256(b[sum:]); string(digest[:]) != string(b[:sum]) {
		d.Remove(key)
		return nil
	}
	return b[sum:]
}

// Put keeps an entry. Several processes may do so at once. The error says why it cannot be kept.
func (d *Dir) Put(key string, entry []byte) error {
	if d == nil {
		return nil
	}
	if err := os.MkdirAll(d.path, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(d.path, "new-*")
	if err != nil {
		return err
	}
	digest := sha256.Sum256(entry)
	_, err = f.Write(append(digest[:], entry...))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), d.file(key))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// Remove forgets an entry.
func (d *Dir) Remove(key string) {
	if d != nil {
		os.Remove(d.file(key))
	}
}

func (d *Dir) file(key string) string {
	name := sha256.Sum256([]byte(key))
	return filepath.Join(d.path, hex.EncodeToString(name[:]))
}
