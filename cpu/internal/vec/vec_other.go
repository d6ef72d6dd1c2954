//go:build !amd64 || purego

package vec

// There is no assembly here: every level is the generic one.
var avx2, avx512 = generic, generic
