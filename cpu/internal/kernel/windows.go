package kernel

import "unsafe"

// stencil is the elements of an image under a window, as distances in bytes from the first one.
type stencil []uintptr

// stencilOf returns the taps of a window of rows × columns pixels, row by row: rows lie ldr elements apart, columns ldc.
func stencilOf[T Float](rows, columns, ldr, ldc int) stencil {
	var t stencil
	for p := range rows {
		for q := range columns {
			t = append(t, unsafe.Sizeof(T(0))*uintptr(p*ldr+q*ldc))
		}
	}
	return t
}

// last is the distance of the last tap in elements of T.
func last[T Float](t stencil) int { return int(t[len(t)-1] / unsafe.Sizeof(T(0))) }

// maxWindows is the maximum of the taps, where NaN counts as the largest number, at count positions of n channels: ldy apart in
// y, ldx apart in x.
func maxWindows[T Float](y []T, ldy int, x []T, ldx int, t stencil, count, n int) {
	if n <= 0 || count <= 0 {
		return
	}
	_, _ = y[(count-1)*ldy+n-1], x[(count-1)*ldx+last[T](t)+n-1]
	loops, size := &ops[T]().runs, unsafe.Sizeof(T(0))
	if loops.maxWindows == nil {
		maxWindowsGo(y, ldy, x, ldx, t, count, n)
		return
	}
	loops.maxWindows(&y[0], size*uintptr(ldy), &x[0], size*uintptr(ldx), &t[0], uintptr(len(t)), uintptr(count), uintptr(n))
}

// routeWindows adds dy to dx at the first tap at which x is the maximum y, at count positions of n channels: ldy apart in dy and
// y, ldx apart in dx and x.
func routeWindows[T Float](dx, x []T, ldx int, dy, y []T, ldy int, t stencil, count, n int) {
	if n <= 0 || count <= 0 {
		return
	}
	_, _ = dy[(count-1)*ldy+n-1], y[(count-1)*ldy+n-1]
	_, _ = dx[(count-1)*ldx+last[T](t)+n-1], x[(count-1)*ldx+last[T](t)+n-1]
	loops, size := &ops[T]().runs, unsafe.Sizeof(T(0))
	switch {
	case loops.routeWindows != nil:
		loops.routeWindows(&dx[0], &x[0], size*uintptr(ldx), &dy[0], &y[0], size*uintptr(ldy), &t[0], uintptr(len(t)), uintptr(count), uintptr(n))
	case size == 4:
		routeWindowsGo[T, uint32](dx, x, ldx, dy, y, ldy, t, count, n)
	default:
		routeWindowsGo[T, uint64](dx, x, ldx, dy, y, ldy, t, count, n)
	}
}

// maxWindowsGo is the plain twin of maxWindows.
func maxWindowsGo[T Float](y []T, ldy int, x []T, ldx int, t stencil, count, n int) {
	for j := range count {
		most := y[j*ldy : j*ldy+n]
		for i, off := range t {
			from := x[j*ldx+int(off/unsafe.Sizeof(T(0))):][:n]
			if i == 0 {
				copy(most, from)
				continue
			}
			for c, v := range from {
				most[c] = max(most[c], v) // hands NaN on
			}
		}
	}
}

// routeWindowsGo is the plain twin of routeWindows. It has no branches: where the maximum lies is random, and a mispredicted
// branch costs more than the loop. B is the unsigned integer of T's size.
func routeWindowsGo[T Float, B uint32 | uint64](dx, x []T, ldx int, dy, y []T, ldy int, t stencil, count, n int) {
	const block = 64
	var left [block]T
	for j := range count {
		for c0 := 0; c0 < n; c0 += block {
			rest := left[:min(block, n-c0)]
			copy(rest, dy[j*ldy+c0:])
			top := y[j*ldy+c0:][:len(rest)]
			for _, off := range t {
				at := j*ldx + c0 + int(off/unsafe.Sizeof(T(0)))
				d, s := dx[at:at+len(rest)], x[at:at+len(rest)]
				for i, v := range s {
					var hit, nan B
					if v == top[i] {
						hit = 1
					}
					if v != v {
						nan = 1
					}
					r := (*B)(unsafe.Pointer(&rest[i]))
					take := *r & -(hit | nan)
					*r ^= take
					d[i] += *(*T)(unsafe.Pointer(&take))
				}
			}
		}
	}
}
