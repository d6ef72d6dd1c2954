//go:build gpu && cgo && linux

package cuda

import (
	"fmt"
	"os"
	"strings"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/shape"
)

// accountsEnv names the variable that has every measured choice tell what became of each of its ways.
const accountsEnv = "STHENO_CUDA_ALTERNATIVES"

// account is what became of the ways of a Choice, for developers.
type account []string

func (a *account) add(format string, args ...any) { *a = append(*a, fmt.Sprintf(format, args...)) }

// refused is of a way that a library does not take, in one line.
func (a *account) refused(name string, err error) {
	a.add("%q is not to be had: %s", name, strings.ReplaceAll(fmt.Sprint(err), "\n", "; "))
}

// failed is of a way that could not be run.
func (a *account) failed(name string, err error) { a.add("%q failed: %v", name, err) }

// took is of a way that ran for some milliseconds.
func (a *account) took(name string, of *attempt, ms float64) {
	a.add("%q took %.1f µs (%s)", name, 1000*ms, strings.Join(of.maker.names, " + "))
}

// wrong is of the way that ran last and is not taken for its results, or cannot be compared.
func (a account) wrong(why string, err error) {
	if err != nil {
		why = err.Error()
	}
	a[len(a)-1] += ", but " + why
}

// tell logs the account, with the shapes of the step's first operand and first result, if that is asked for. Ways that are slower than the one
// that is followed are not compared with it.
func (a account) tell(t *tuner, s *graph.Step) {
	if v := os.Getenv(accountsEnv); v != "" && v != "0" {
		t.tell("tried for %s, %s to %s: %s", s.Instr, shape.Format(s.In[0].Shape), shape.Format(s.Out[0].Shape), strings.Join(a, "; "))
	}
}
