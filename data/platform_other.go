//go:build !unix

package data

import (
	"errors"
	"runtime"
)

const onWindows = runtime.GOOS == "windows"

// errQuota stands for an exhausted disk quota where the system has no such error.
var errQuota = errors.New("disk quota exceeded")
