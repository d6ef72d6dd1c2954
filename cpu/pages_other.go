//go:build !linux || race

package cpu

// mapPages leaves the memory to Go: other systems choose the size of pages themselves, and the race detector looks at Go's memory only.
func mapPages(int) (mapped, bytes []byte, err error) { return nil, nil, nil }

func unmapPages([]byte) error { return nil }
