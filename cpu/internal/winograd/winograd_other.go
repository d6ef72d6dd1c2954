//go:build !amd64 || purego

package winograd

// There is no assembly here: every level is the generic one.

// Lanes is the number of filters that Filter transforms at a time.
func (o Ops) Lanes() int { return genericLanes }

func (o Ops) input(t *inputTile) { inputGo(t) }

func (o Ops) filter(dst *float32, point, step uintptr, src *float32, tap, lds, count, n uintptr) {
	filterGo(dst, point, step, src, tap, lds, count, n)
}

func (o Ops) output(t *outputTile) { outputGo(t) }

func (o Ops) gradient(t *gradientTile) { gradientGo(t) }

func (o Ops) taps(dst *float32, tap uintptr, src *float32, point, n uintptr) {
	tapsGo(dst, tap, src, point, n)
}
