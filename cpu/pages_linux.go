//go:build !race

package cpu

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const hugePage = 2 << 20

// mapPages returns n bytes at the start of a huge page, and the mapping that they lie in.
func mapPages(n int) (mapped, bytes []byte, err error) {
	size := (n + hugePage - 1) &^ (hugePage - 1)
	mapped, err = unix.Mmap(-1, 0, size+hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, nil, err
	}
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(mapped))) & (hugePage - 1))
	_ = unix.Madvise(mapped[skip:skip+size], unix.MADV_HUGEPAGE) // a wish: small pages do, too
	return mapped, mapped[skip : skip+n : skip+n], nil
}

func unmapPages(mapped []byte) error { return unix.Munmap(mapped) }
