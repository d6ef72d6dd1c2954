package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMeasureTakesMediansOfRounds(t *testing.T) {
	d := fakes(t, [3]string{ours, "100,300,200", ""}, [3]string{tunedTorch, "50,100,200", "chatty"}, [3]string{"onnxruntime", "1", ""}, [3]string{"gorgonia", "4", ""})
	m, err := d.measure(forAll, quick)
	if err != nil || len(d.failures) > 0 {
		t.Fatal(err, d.failures)
	}
	if e := m.about("onnxruntime"); e != nil {
		t.Errorf("ONNX Runtime trains: %+v", e)
	}
	us, torch := m.entry(ours), m.entry(tunedTorch)
	if us == nil || torch == nil || us.Result.ImagesPerSecond != 200 || torch.Result.ImagesPerSecond != 100 || !slices.Equal(us.Result.Rates, []float64{100, 300, 200}) {
		t.Fatalf("%+v, %+v", us, torch)
	}
	// 2, 3 and 1 within the rounds.
	if median, least, most, ok := m.ratio(torch); !ok || median != 2 || least != 1 || most != 3 {
		t.Errorf("ratio %v (%v to %v), %v", median, least, most, ok)
	}
	// A slow one has one turn, which is held against the median.
	slow := m.entry("gorgonia")
	if slow == nil || len(slow.Result.Rates) != 1 {
		t.Fatalf("Gorgonia: %+v", m.about("gorgonia"))
	}
	if median, least, most, ok := m.ratio(slow); !ok || median != 50 || least != 50 || most != 50 {
		t.Errorf("ratio to the slow one %v (%v to %v), %v", median, least, most, ok)
	}
	if m, err = d.measure(training, quick); err != nil || m.about("gorgonia") != nil {
		t.Errorf("the slow one takes part in every case: %v", err)
	}
}

func TestAContestantThatTakesLongHasOneTurn(t *testing.T) {
	d := fakes(t, [3]string{ours, "100", ""}, [3]string{tunedTorch, "50", "slow"})
	m, err := d.measure(training, plan{rounds: 3, seconds: 0.05, optional: true})
	if err != nil {
		t.Fatal(err)
	}
	if us, torch := m.entry(ours), m.entry(tunedTorch); len(us.Result.Rates) != 3 || len(torch.Result.Rates) != 1 {
		t.Errorf("%d and %d turns", len(us.Result.Rates), len(torch.Result.Rates))
	}
}

// Whatever one contestant does, the others are measured, and the record says why it is not.
func TestOthersGoOn(t *testing.T) {
	for _, c := range []struct {
		behaviour, reason string
		cannot            bool
	}{
		{"cannot", "it has no convolutions", true},
		{"fails", "exit status 1: segment of fault", false},
		{"hangs", "no answer in 2s", false},
		{"halts", "no answer in 2s", false}, // in its second turn
		{"stops", "exit status 3: lost its way", false},
		{"garbage", `it says "{this is no JSON"`, false},
		{"unready", "it does not say that it is ready", false},
		{"forgets", "it tells 2 rates of 3 turns", false},
	} {
		t.Run(c.behaviour, func(t *testing.T) {
			t.Parallel()
			d := fakes(t, [3]string{ours, "100", ""}, [3]string{tunedTorch, "50", c.behaviour}, [3]string{"torch2", "40", ""})
			d.patience = 2 * time.Second
			m, err := d.measure(training, quick)
			if err != nil {
				t.Fatal(err)
			}
			if m.entry(ours) == nil || m.entry("torch2") == nil {
				t.Errorf("the others were not measured: %+v", m.Entries)
			}
			e := m.about(tunedTorch)
			if m.entry(tunedTorch) != nil || !strings.HasPrefix(e.Reason, c.reason) || e.Cannot != c.cannot {
				t.Errorf("noted: %+v", e)
			}
			if failed := len(d.failures) > 0; failed == c.cannot {
				t.Errorf("failures: %v", d.failures)
			}
			d.past.add(m)
			if doc := document(d.past); !strings.Contains(doc, e.Reason) {
				t.Errorf("the document does not say why there is no result:\n%s", doc)
			}

			// Who cannot is not asked again, unless it must be, or is another version.
			before := len(d.starts(tunedTorch))
			if m, err = d.measure(training, quick); err != nil || m.about(tunedTorch).Reason != e.Reason {
				t.Errorf("again: %v, %+v", err, m.about(tunedTorch))
			}
			if again := len(d.starts(tunedTorch)) > before; again == c.cannot {
				t.Errorf("it was asked again: %v", again)
			}
		})
	}
}

func TestWhoCannotIsAskedAgain(t *testing.T) {
	d := fakes(t, [3]string{ours, "100", ""}, [3]string{tunedTorch, "50", "cannot"})
	m, err := d.measure(training, quick)
	if err != nil {
		t.Fatal(err)
	}
	d.past.add(m)
	if _, err := d.measure(training, quick); err != nil || len(d.starts(tunedTorch)) != 1 {
		t.Fatalf("%v, starts %q", err, d.starts(tunedTorch))
	}
	d.again = true
	if _, err := d.measure(training, quick); err != nil || len(d.starts(tunedTorch)) != 2 {
		t.Errorf("-again: %v, starts %q", err, d.starts(tunedTorch))
	}
	d.again = false
	m.about(tunedTorch).Version = "PyTorch 0.1"
	if _, err := d.measure(training, quick); err != nil || len(d.starts(tunedTorch)) != 3 {
		t.Errorf("another version: %v, starts %q", err, d.starts(tunedTorch))
	}
}

func TestTheBestConfigurationIsMeasured(t *testing.T) {
	d := fakes(t, [3]string{ours, "100", ""}, [3]string{tunedTorch, "a=10,b=30,c=20,d=99", "d-fails"})
	m, err := d.measure(training, quick)
	if err != nil {
		t.Fatal(err)
	}
	e := m.entry(tunedTorch)
	if e == nil || e.Result.Config != "b" || len(e.Trials) != 4 || !strings.HasSuffix(e.Trials[3].Reason, "no such thing as d") {
		t.Fatalf("%+v", e)
	}
	d.past.add(m)
	starts := len(d.starts(tunedTorch))
	d.tried = true
	if m, err = d.measure(training, quick); err != nil || m.entry(tunedTorch).Result.Config != "b" || len(d.starts(tunedTorch)) != starts+1 {
		t.Errorf("what is known was tried again: %v, %q", err, d.starts(tunedTorch))
	}
	other := training
	other.Batch = 32
	if _, err = d.measure(other, quick); err != nil || len(d.starts(tunedTorch)) != starts+6 {
		t.Errorf("another batch: %v, %q", err, d.starts(tunedTorch))
	}
	hasty := quick
	hasty.compiled = false
	d.tried = false
	d.entered[1].configs[training.Mode] = []string{"a", "b+compile"}
	if m, err = d.measure(training, hasty); err != nil || m.entry(tunedTorch).Result.Config != "a" || !strings.Contains(m.entry(tunedTorch).Trials[1].Reason, "want of time") {
		t.Errorf("without compiling: %v, %+v", err, m.entry(tunedTorch))
	}
	d.entered[1].configs[training.Mode] = []string{"a", "b", "c", "d"}
	d.tried, starts = true, len(d.starts(tunedTorch))-6
	siblings := quick
	siblings.siblings = true
	if m, err = d.measure(other, siblings); err != nil || m.entry(tunedTorch).Result.Config != "b" || m.entry(tunedTorch).TriedIn != describe(training) || len(d.starts(tunedTorch)) != starts+7 {
		t.Errorf("another batch, by its sibling: %v, %q", err, d.starts(tunedTorch))
	}
}

// Where every configuration fails, the first one's reason counts, and it is not started once more.
func TestAllConfigurationsFail(t *testing.T) {
	d := fakes(t, [3]string{ours, "100", ""}, [3]string{tunedTorch, "a=10,b=30", "a-fails b-fails"})
	m, err := d.measure(training, quick)
	if err != nil || len(d.starts(tunedTorch)) != 2 || !strings.HasSuffix(m.about(tunedTorch).Reason, "no such thing as a") {
		t.Errorf("%v, %+v, starts %q", err, m.about(tunedTorch), d.starts(tunedTorch))
	}
}

func TestGatherLeavesOutWhoIsNotHere(t *testing.T) {
	d := fakes(t, [3]string{ours, "100", ""})
	missing, mute, twin := contestants[find("jax")], d.entered[0], d.entered[0]
	missing.command = []string{filepath.Join(t.TempDir(), "python")}
	mute.key, mute.env = "torch", append(slices.Clone(mute.env), behaviourVar+"=mute")
	twin.key = "torch2"
	var said strings.Builder
	all := []contestant{d.entered[0], missing, mute, twin}
	d.entered, d.screen = nil, &said
	if err := d.gather(all); err != nil || len(d.entered) != 1 {
		t.Fatalf("%v, %d are here", err, len(d.entered))
	}
	if strings.Count(said.String(), "is left out") != 3 || !strings.Contains(said.String(), "it is Stheno 1 again") {
		t.Errorf("it says %q", said.String())
	}
	d.entered = nil
	if err := d.gather(all[1:3]); err == nil {
		t.Error("no contestant is enough")
	}
	d.only = "torch,caffe"
	if err := d.gather(all); err == nil || !strings.Contains(err.Error(), `no contestant "caffe"`) {
		t.Errorf("a contestant that does not exist: %v", err)
	}
}

// An end by Ctrl-C comes at once, and leaves nothing running, not even what the contestants have started.
func TestInterruption(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("needs /proc")
	}
	d := fakes(t, [3]string{ours, "100", "child"}, [3]string{tunedTorch, "50", "halts"})
	ctx, cancel := interruptible(t, d)
	d.ctx = ctx
	time.AfterFunc(1500*time.Millisecond, func() { cancel(errInterrupted) })
	begin := time.Now()
	if _, err := d.measure(training, quick); !errors.Is(err, errInterrupted) {
		t.Errorf("it ends with %v", err)
	}
	if spent := time.Since(begin); spent > 8*time.Second {
		t.Errorf("after %v", spent)
	}
	gone(t, childOf(t, d))
}

func TestNothingIsLeftOfAContestantThatIsDone(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("needs /proc")
	}
	d := fakes(t, [3]string{ours, "100", "child"})
	if _, err := d.measure(training, quick); err != nil || len(d.failures) > 0 {
		t.Fatal(err, d.failures)
	}
	gone(t, childOf(t, d))
}

// childOf is the process that our fake has started.
func childOf(t *testing.T, d *driver) int {
	t.Helper()
	for _, v := range d.entered[0].env {
		if name, ok := strings.CutPrefix(v, logVar+"="); ok {
			pid, err := strconv.Atoi(read(name + ".child"))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	return 0
}

func gone(t *testing.T, pid int) {
	t.Helper()
	for range 50 {
		stat := read("/proc/" + strconv.Itoa(pid) + "/stat")
		if stat == "" || strings.Contains(stat, ") Z ") {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("process %d is left", pid)
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Signal(syscall.SIGTERM) // it is this test's
	}
}
