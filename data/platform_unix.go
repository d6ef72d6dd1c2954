//go:build unix

package data

import "syscall"

const onWindows = false

// errQuota is the system's error for an exhausted disk quota.
var errQuota error = syscall.EDQUOT
