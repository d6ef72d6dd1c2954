package main

import (
	"testing"

	"github.com/stheno-ml/stheno/examples/internal/demo"
)

func TestMachinesAgree(t *testing.T) { demo.Compare(t, build, 10) }
