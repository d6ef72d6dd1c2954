//go:build !unix

package main

import (
	"os/exec"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return nil }

func killGroup(cmd *exec.Cmd) {
	_ = cmd.Process.Kill() // if there is one left
}

func signaled(*exec.ExitError) syscall.Signal { return 0 }
