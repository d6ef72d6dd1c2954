package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/stheno-ml/stheno/train"
)

// screen shows a run to a person: a bar that is drawn again and again on a terminal, plain lines everywhere else.
// It implements train.Observer and train.ProfileObserver. A standard output that breaks (a closed pipe, a full disk) is reported once on standard
// error and ends nothing: a run's results are in its folder.
type screen struct {
	mu       sync.Mutex
	out      io.Writer
	errors   io.Writer
	bars     *mpb.Progress // nil when there is no terminal
	bar      *mpb.Bar      // the one that is shown, or nil
	barKey   string        // what it counts
	reported time.Time     // time of the last plain line
	stepped  time.Time     // time of the last batch
	lines    bool          // a plain line within an epoch was printed
	watch    chan struct{} // ends Watch; nil while nobody watches

	// The progress has a lock of its own: mpb draws a bar, and asks for the text behind it, while calls to that bar wait.
	progress sync.Mutex
	last     train.Progress
	text     string // behind the bar of a command with one of its own
}

// Times between two plain lines within an epoch: before the first, later, and when not even a batch was done meanwhile.
const (
	plainFirst = 5 * time.Second
	plainEvery = 15 * time.Second
	plainSlow  = 30 * time.Second
)

func newScreen(cmd *cobra.Command) *screen {
	s := &screen{out: cmd.OutOrStdout(), errors: cmd.ErrOrStderr(), reported: time.Now(), stepped: time.Now()}
	if o, ok := s.out.(*output); ok {
		s.out = o.to // what breaks here is handled here
	}
	if f, ok := s.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.bars = mpb.New(mpb.WithOutput(f), mpb.WithWidth(30), mpb.WithRefreshRate(150*time.Millisecond))
	}
	return s
}

// Printf prints a line above the bar.
func (s *screen) Printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.println(fmt.Sprintf(format, args...))
}

func (s *screen) println(line string) {
	w := s.out
	if s.bar != nil {
		w = s.bars
	}
	if _, err := fmt.Fprintln(w, line); err != nil && s.out != io.Discard {
		s.out = io.Discard
		fmt.Fprintf(s.errors, "stheno: standard output is lost (%v); going on without it\n", err)
	}
}

// show replaces the bar by one for total things called key, unless it is there already. Without a terminal, or when
// that is gone, there is none.
func (s *screen) show(key string, total int64, o ...mpb.BarOption) {
	if s.bars == nil || s.bar != nil && s.barKey == key {
		return
	}
	s.dropBar()
	bar, err := s.bars.Add(max(total, 1), mpb.BarStyle().Build(), append(o, mpb.BarRemoveOnComplete())...)
	if err != nil {
		s.bars = nil
		return
	}
	s.bar, s.barKey = bar, key
}

// Note implements train.Observer.
func (s *screen) Note(line string) { s.Printf("note: %s", line) }

// Step implements train.Observer.
func (s *screen) Step(p train.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.Lock()
	s.last = p
	s.progress.Unlock()
	s.stepped = time.Now()
	key := keyOf(p)
	s.show(key, int64(p.Batches),
		mpb.PrependDecorators(decor.Name(key, decor.WCSyncSpaceR), decor.CountersNoUnit("%d/%d")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return s.status() })))
	switch {
	case s.bar != nil:
		s.bar.SetCurrent(int64(p.Batch))
	case time.Since(s.reported) >= plainEvery || !s.lines && time.Since(s.reported) >= plainFirst:
		s.reported, s.lines = time.Now(), true
		s.println(fmt.Sprintf("%s  %d/%d  %s", key, p.Batch, p.Batches, results(p)))
	}
}

// keyOf names what the batches of p belong to.
func keyOf(p train.Progress) string {
	if p.Validating {
		return "validation"
	}
	return fmt.Sprintf("epoch %d/%d", p.Epoch, p.Epochs)
}

// Checked shows how many of all pictures were looked at in a time.
func (s *screen) Checked(done, all int, in time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rate := float64(done) / max(in.Seconds(), 1e-9)
	left := time.Duration(float64(all-done) / max(rate, 1e-9) * float64(time.Second))
	s.count("pictures", "pictures", done, all, fmt.Sprintf("%s pictures/s  ETA %s", speed(rate), left.Round(time.Second)))
}

// count shows that so many of all things are done, with a text behind: as the bar of key, or from time to time as a line. s.mu is held.
func (s *screen) count(key, name string, done, all int, text string) {
	s.progress.Lock()
	s.text = text
	s.progress.Unlock()
	s.show(key, int64(all), mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR), decor.CountersNoUnit("%d/%d")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			s.progress.Lock()
			defer s.progress.Unlock()
			return " " + s.text
		})))
	switch {
	case s.bar != nil:
		s.bar.SetCurrent(int64(done))
	case time.Since(s.reported) >= plainEvery || !s.lines && time.Since(s.reported) >= plainFirst:
		s.reported, s.lines = time.Now(), true
		s.println(fmt.Sprintf("%s %d/%d  %s", name, done, all, text))
	}
}

// Watch begins the work on batches: until Finish, a plain line is printed even when a batch takes very long.
func (s *screen) Watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reported, s.stepped = time.Now(), time.Now()
	if s.bars != nil || s.watch != nil {
		return
	}
	ended := make(chan struct{})
	s.watch = ended
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				s.beat()
			}
		}
	}()
}

// beat prints how long the current batch has taken when nothing else was printed for long.
func (s *screen) beat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watch == nil || time.Since(s.reported) < plainSlow {
		return
	}
	s.reported = time.Now()
	where := "the first batch"
	if s.last.Batches > 0 {
		where = fmt.Sprintf("%s  %d/%d  the next batch", keyOf(s.last), s.last.Batch, s.last.Batches)
	}
	s.println(fmt.Sprintf("%s has taken %s so far", where, time.Since(s.stepped).Round(time.Second)))
}

// status is the text behind the bar; mpb calls it from the bar's goroutine.
func (s *screen) status() string {
	s.progress.Lock()
	defer s.progress.Unlock()
	return " " + results(s.last)
}

// results are the numbers of a line in the middle of an epoch.
func results(p train.Progress) string {
	eta := ""
	if p.Remaining > 0 {
		eta = "  ETA " + p.Remaining.Round(time.Second).String()
	}
	return fmt.Sprintf("loss %s  top-1 %.1f%%  top-5 %.1f%%  %s images/s%s", lossText(p.Loss), 100*p.Top1, 100*p.Top5, speed(p.ImagesPerSecond), eta)
}

// lossText is a loss with four places, or short where it is huge, as it is before a run diverges.
func lossText(v float64) string {
	if math.Abs(v) >= 1e6 {
		return fmt.Sprintf("%.4g", v)
	}
	return fmt.Sprintf("%.4f", v)
}

// speed is a rate with a place behind the point where that matters.
func speed(v float64) string {
	if v == 0 { // of no step, as in an epoch whose steps a run had before it was interrupted
		return "–"
	}
	if v < 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// Epoch implements train.Observer.
func (s *screen) Epoch(r train.HistoryRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropBar()
	s.reported, s.stepped = time.Now(), time.Now()
	s.println(fmt.Sprintf("epoch %d/%d  loss %s  top-1 %.1f%%  top-5 %.1f%%  |  val loss %s  top-1 %.1f%%  top-5 %.1f%%  |  %s images/s", r.Epoch, s.last.Epochs,
		lossText(r.Loss), 100*r.Top1, 100*r.Top5, lossText(r.ValLoss), 100*r.ValTop1, 100*r.ValTop5, speed(r.ImagesPerSecond)))
}

// slowest is how many steps of a profile are shown; the file has all.
const slowest = 20

// Profile implements train.ProfileObserver.
func (s *screen) Profile(profiles []*train.BatchProfile, files []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropBar()
	s.println(fmt.Sprintf("profile of batches of %d: %s", profiles[0].Batch, strings.TrimSuffix(profiles[0].Table(slowest), "\n")))
	for _, p := range profiles[1:] { // such as a smaller last one of every epoch
		first, _, _ := strings.Cut(p.Table(slowest), "\n")
		how := ""
		if p.Held {
			how = ", gradients added up"
		}
		s.println(fmt.Sprintf("profile of batches of %d%s: %s", p.Batch, how, first))
	}
	if idle := profiles[0].Idle; idle != nil {
		s.println(idle.String())
	}
	if line := deviceMemory(profiles[0].Memory); line != "" {
		s.println(line)
	}
	s.println(fmt.Sprintf("profile written to %s; open %s in https://ui.perfetto.dev", strings.Join(files, " and "), filepath.Base(files[0])))
}

// dropBar removes the bar. The caller holds mu.
func (s *screen) dropBar() {
	if s.bar != nil {
		s.bar.Abort(true)
		s.bar.Wait()
		s.bar = nil
	}
}

// Finish removes the bar for good; lines can still be printed. It may be called again.
func (s *screen) Finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watch != nil {
		close(s.watch)
		s.watch = nil
	}
	s.dropBar()
	if s.bars != nil {
		s.bars.Wait()
		s.bars = nil
	}
}
