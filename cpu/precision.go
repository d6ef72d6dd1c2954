package cpu

import (
	"errors"
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
)

// ErrPrecision is what errors.Is finds in the error of New, and of graph.Open, for a precision that the engine does not have, or not
// on this machine. In fp32 it computes everywhere.
var ErrPrecision = errors.New("cpu: a precision that this engine does not have")

// precisionError says why and what to do.
type precisionError struct{ text string }

func (e *precisionError) Error() string        { return e.text }
func (e *precisionError) Is(target error) bool { return target == ErrPrecision }

// The names of Config.Precision.
const (
	fp32 = "fp32"
	bf16 = "bf16"
)

// CheckPrecision says whether engines of this machine have a precision; the error is that of [New].
func CheckPrecision(name string) error {
	_, err := productsOf(name)
	return err
}

// productsOf returns how factors of float32 are multiplied in a precision.
func productsOf(precision string) (*gemm.Gemm[float32], error) {
	switch precision {
	case "", fp32:
		return gemm.New[float32](kernel.Level()), nil
	case bf16:
		native, err := cpuid.BF16()
		if err != nil {
			return nil, &precisionError{fmt.Sprintf("cpu: precision bf16: %v; compute in fp32, or on a GPU, or slowly, to check results, with %s=generic",
				err, cpuid.EnvVar)}
		}
		return gemm.NewBF16(native), nil
	}
	return nil, &precisionError{fmt.Sprintf("cpu: precision %q: the CPU engine computes in fp32 and, where the CPU has AVX512-BF16, in bf16; "+
		"leave the precision out, or use a GPU", precision)}
}

// Precision is "fp32" or "bf16".
func (e *Engine) Precision() string {
	if e.gemm.Rounds() {
		return bf16
	}
	return fp32
}
