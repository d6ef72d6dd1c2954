package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stheno-ml/stheno/bench/peers/peer"
)

// The tests' contestants are this program itself, started with a variable that says how it behaves.
const (
	behaviourVar = "FAKE_PEER"        // words with spaces between them: see fake
	logVar       = "FAKE_PEER_LOG"    // file that starts are noted in
	nameVar      = "FAKE_PEER_NAME"   // framework
	ratesVar     = "FAKE_PEER_RATES"  // of the turns, with commas
	configsVar   = "FAKE_PEER_CONFIG" // configurations and their rates: a=1,b=2
)

func TestMain(m *testing.M) {
	if behaviour := os.Getenv(behaviourVar); behaviour != "" {
		fake(behaviour)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fake speaks the protocol of peer.py, and breaks it where it is told to.
func fake(behaviour string) {
	does := func(word string) bool { return strings.Contains(" "+behaviour+" ", " "+word+" ") }
	f := flag.NewFlagSet("fake", flag.ExitOnError)
	r := peer.Result{Framework: os.Getenv(nameVar), Version: "1"}
	f.StringVar(&r.Arch, "arch", "", "")
	f.IntVar(&r.Size, "size", 0, "")
	f.IntVar(&r.Batch, "batch", 0, "")
	f.IntVar(&r.Threads, "threads", 0, "")
	f.StringVar(&r.Mode, "mode", "", "")
	f.StringVar(&r.Config, "config", "", "")
	f.Float64("seconds", 0, "")
	f.Bool("paced", false, "")
	describe := f.Bool("describe", false, "")
	_ = f.Parse(os.Args[1:]) // it exits
	rates := map[string]float64{}
	var configs []string
	for _, pair := range strings.Split(cmp.Or(os.Getenv(configsVar), "only=0"), ",") {
		name, rate, _ := strings.Cut(pair, "=")
		rates[name], _ = strconv.ParseFloat(rate, 64)
		configs = append(configs, name)
	}
	if log := os.Getenv(logVar); log != "" && !*describe {
		file, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			fmt.Fprintf(file, "%s %s %d %s\n", r.Framework, r.Arch, r.Batch, r.Config)
			_ = file.Close()
		}
	}
	say := func(v any) {
		text, _ := json.Marshal(v)
		fmt.Println(string(text))
	}
	fail := func(status int, why string) {
		fmt.Fprintln(os.Stderr, "first line\n"+why)
		os.Exit(status)
	}
	if *describe {
		if does("mute") {
			return
		}
		say(peer.Description{Framework: r.Framework, Version: r.Version, Configs: configs})
		return
	}
	switch {
	case does("cannot"):
		fail(peer.CannotStatus, "cannot do this case: it has no convolutions")
	case does("fails"):
		fail(1, "segment of fault")
	case does("hangs"):
		time.Sleep(time.Hour)
	case does("child"):
		child := exec.Command("sleep", "3600")
		if err := child.Start(); err != nil {
			fail(1, err.Error())
		}
		fmt.Fprintf(os.Stderr, "child %d\n", child.Process.Pid)
		_ = os.WriteFile(os.Getenv(logVar)+".child", []byte(strconv.Itoa(child.Process.Pid)), 0o644)
	case does("garbage"):
		fmt.Println("{this is no JSON")
	case does("chatty"):
		fmt.Println("Loading… 100 %")
	case does("unready"):
		say(map[string]int{"progress": 1})
	}
	if does(r.Config + "-fails") {
		fail(1, "no such thing as "+r.Config)
	}
	say(map[string]bool{"ready": true})
	lines := bufio.NewScanner(os.Stdin)
	for i := 0; lines.Scan(); i++ {
		if does("stops") && i == 1 {
			fail(3, "lost its way")
		}
		if does("halts") && i == 1 {
			time.Sleep(time.Hour)
		}
		rate := rates[r.Config]
		if all := list(os.Getenv(ratesVar)); len(all) > 0 {
			rate, _ = strconv.ParseFloat(all[i%len(all)], 64)
		}
		if does("by-malloc") && os.Getenv("GLIBC_TUNABLES") != "" {
			rate *= 2
		}
		if does("slow") {
			time.Sleep(1300 * time.Millisecond)
		}
		r.Rates = append(r.Rates, rate)
		say(map[string]float64{"images_per_second": rate})
	}
	if does("forgets") {
		r.Rates = r.Rates[1:]
	}
	r.PeakMemory = 5e6
	say(r)
	if does("stays") {
		time.Sleep(time.Hour)
	}
}

// fakes are a driver with contestants that behave as told: key, rates or configurations, behaviour.
func fakes(t *testing.T, behaviours ...[3]string) *driver {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	t.Cleanup(func() { cancel(nil) })
	d := &driver{ctx: ctx, screen: t.Output(), past: &record{}}
	d.rounds, d.seconds, d.trial, d.patience, d.slow = 3, 0.1, 0.1, 20*time.Second, "few"
	var all []contestant
	for _, b := range behaviours {
		c := contestants[find(b[0])]
		c.command = []string{self}
		c.env = []string{behaviourVar + "=well " + b[2], nameVar + "=" + c.title, logVar + "=" + t.TempDir() + "/log"}
		if strings.Contains(b[1], "=") {
			c.env = append(c.env, configsVar+"="+b[1])
		} else {
			c.env = append(c.env, ratesVar+"="+b[1])
		}
		all = append(all, c)
	}
	if err := d.gather(all); err != nil {
		t.Fatal(err)
	}
	return d
}

// starts are the lines that a contestant has noted, one of each start.
func (d *driver) starts(key string) []string {
	for _, c := range d.entered {
		for _, v := range c.env {
			if name, ok := strings.CutPrefix(v, logVar+"="); ok && c.key == key {
				return strings.Split(strings.TrimSpace(read(name)), "\n")
			}
		}
	}
	return nil
}

var (
	training  = peer.Case{Arch: "vgg16", Size: 32, Batch: 64, Threads: 2, Mode: peer.Train}
	inference = peer.Case{Arch: "vgg16", Size: 32, Batch: 64, Threads: 2, Mode: peer.Inference}
	forAll    = peer.Case{Arch: "vgg16", Size: 32, Batch: 32, Threads: 2, Mode: peer.Train} // the slow ones too
	quick     = plan{rounds: 3, seconds: 0.1, optional: true, slow: true, compiled: true}
)
