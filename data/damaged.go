package data

import (
	"errors"
	"fmt"
	"image"
	"slices"
	"sync"
)

// damaged are the pictures of a set that cannot be decoded, as far as a loader has met them.
type damaged struct {
	mu    sync.RWMutex
	at    map[int]*ImageError // by their number in the set
	found []*ImageError
}

func (d *damaged) has(i int) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.at[i] != nil
}

func (d *damaged) add(i int, err *ImageError) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at[i] != nil { // another worker was as fast
		return
	}
	if d.at == nil {
		d.at = map[int]*ImageError{}
	}
	d.at[i] = err
	d.found = append(d.found, err)
}

// Damaged returns the pictures that could not be decoded, and were replaced (LoaderConfig.SkipDamaged), in the order in which they were
// met so far.
func (l *Loader) Damaged() []*ImageError {
	l.damaged.mu.RLock()
	defer l.damaged.mu.RUnlock()
	return slices.Clone(l.damaged.found)
}

// picture decodes picture i, at least a part of it, or where damaged ones are skipped the one in its place: a function of the files alone, whatever was met before.
func (l *Loader) picture(r *pictureReader, i int, part func(h, w int) image.Rectangle) (image.Image, error) {
	if !l.cfg.SkipDamaged {
		return r.read(l.ds.Files.Path(i), part)
	}
	for ahead := range l.ds.Len() {
		k := (i + ahead) % l.ds.Len()
		if l.ds.Labels[k] != l.ds.Labels[i] || l.damaged.has(k) {
			continue
		}
		m, err := r.read(l.ds.Files.Path(k), part)
		if e, ok := errors.AsType[*ImageError](err); ok && e.Damaged {
			l.damaged.add(k, e)
			continue
		}
		return m, err
	}
	return nil, fmt.Errorf("data: %s: none of the pictures of class %s can be decoded; replace some of them, or take the class out",
		l.ds.Name, l.ds.Classes[l.ds.Labels[i]])
}
