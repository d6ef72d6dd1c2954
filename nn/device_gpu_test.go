//go:build gpu && cgo && linux

package nn

import _ "github.com/stheno-ml/stheno/cuda" // a device that STHENO_TEST_DEVICE may name
