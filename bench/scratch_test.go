package bench

import (
	"context"
	"fmt"
	"github.com/stheno-ml/stheno/cpu"
	"github.com/stretchr/testify/require"
	"os"
	"strconv"
	"testing"
	"time"
)

func TestScratch(t *testing.T) {
	e, err := cpu.New(cpu.Config{})
	require.NoError(t, err)
	size, _ := strconv.Atoi(os.Getenv("SIZE"))
	d, _ := strconv.Atoi(os.Getenv("D"))
	bs, _ := strconv.Atoi(os.Getenv("B"))
	c := Case{Arch: os.Getenv("ARCH"), Size: size, Classes: 100, Batch: bs, Device: "cpu", Threads: 2}
	s := time.Now()
	var tr *truth
	if os.Getenv("INF") == "" {
		c.Mode = Train
		tr, err = trainingTruth(context.Background(), c, d)
	} else {
		c.Mode = Inference
		tr, err = inferenceTruth(context.Background(), c, d)
	}
	require.NoError(t, err)
	took := time.Since(s)
	c.Precision = "fp32"
	s = time.Now()
	v, err := tr.verifyCase(e, c, deal(c, min(d, c.Batch)))
	fmt.Println(took, time.Since(s), v, err)
	if v != nil {
		fmt.Println(v.Checks)
	}
}
