package dl

import "sync"

// Once keeps what was made of each library file. As a library stays loaded, so does what was made of it: a process that opens many
// engines makes it once. The zero value is ready for use.
type Once[T any] struct {
	mu   sync.Mutex
	made map[string]T
}

// Open returns what open made of the file the first time that it succeeded.
func (o *Once[T]) Open(file string, open func(file string) (T, error)) (T, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if x, ok := o.made[file]; ok {
		return x, nil
	}
	x, err := open(file)
	if err != nil {
		var none T
		return none, err
	}
	if o.made == nil {
		o.made = map[string]T{}
	}
	o.made[file] = x
	return x, nil
}
