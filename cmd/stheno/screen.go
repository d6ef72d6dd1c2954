package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/train"
)

// screen shows a run to a person: a bar that is drawn again and again on a terminal, plain lines everywhere else.
// It implements train.Observer.
type screen struct {
	mu       sync.Mutex
	out      io.Writer
	bars     *mpb.Progress // nil when there is no terminal
	bar      *mpb.Bar
	barKey   string // what the bar counts
	last     train.Progress
	reported time.Time // time of the last plain line
}

// plainEvery is the time between two plain lines within an epoch.
const plainEvery = 15 * time.Second

func newScreen(stdout, _ io.Writer) *screen {
	s := &screen{out: stdout, reported: time.Now()}
	if f, ok := stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
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
	if s.bars != nil && s.bar != nil {
		fmt.Fprintln(s.bars, line)
		return
	}
	fmt.Fprintln(s.out, line)
}

// Note implements train.Observer.
func (s *screen) Note(line string) { s.Printf("note: %s", line) }

// Step implements train.Observer.
func (s *screen) Step(p train.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = p
	if s.bars == nil {
		if time.Since(s.reported) >= plainEvery && !p.Validating {
			s.reported = time.Now()
			s.println(fmt.Sprintf("epoch %d/%d  %d/%d  %s", p.Epoch, p.Epochs, p.Batch, p.Batches, results(p)))
		}
		return
	}
	key := fmt.Sprintf("epoch %d/%d", p.Epoch, p.Epochs)
	if p.Validating {
		key = "validation"
	}
	if s.bar == nil || s.barKey != key {
		s.dropBar()
		s.barKey = key
		s.bar = s.bars.AddBar(int64(p.Batches), mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(key, decor.WCSyncSpaceR), decor.CountersNoUnit("%d/%d")),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return s.status() })))
	}
	s.bar.SetCurrent(int64(p.Batch))
}

// status is the text behind the bar; mpb calls it from its own goroutine.
func (s *screen) status() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.last
	eta := ""
	if left := p.Batches - p.Batch; p.ImagesPerSecond > 0 && p.BatchImages > 0 {
		eta = "  ETA " + time.Duration(float64(left*p.BatchImages)/p.ImagesPerSecond*float64(time.Second)).Round(time.Second).String()
	}
	return " " + results(p) + eta
}

func results(p train.Progress) string {
	return fmt.Sprintf("loss %.4f  top-1 %.1f%%  top-5 %.1f%%  %.0f images/s", p.Loss, 100*p.Top1, 100*p.Top5, p.ImagesPerSecond)
}

// Epoch implements train.Observer.
func (s *screen) Epoch(r train.HistoryRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropBar()
	s.reported = time.Now()
	s.println(fmt.Sprintf("epoch %d/%d  loss %.4f  top-1 %.1f%%  top-5 %.1f%%  |  val loss %.4f  top-1 %.1f%%  top-5 %.1f%%  |  %.0f images/s",
		r.Epoch, s.last.Epochs, r.Loss, 100*r.Top1, 100*r.Top5, r.ValLoss, 100*r.ValTop1, 100*r.ValTop5, r.ImagesPerSecond))
}

// dropBar removes the bar. The caller holds mu; mpb waits for decorators, which take mu, so it is let go meanwhile.
func (s *screen) dropBar() {
	bar := s.bar
	s.bar = nil
	if bar == nil {
		return
	}
	s.mu.Unlock()
	bar.Abort(true)
	bar.Wait()
	s.mu.Lock()
}

// Finish removes the bar for good.
func (s *screen) Finish() {
	s.mu.Lock()
	s.dropBar()
	bars := s.bars
	s.bars = nil
	s.mu.Unlock()
	if bars != nil {
		bars.Wait()
	}
}

// Close is Finish, for defer.
func (s *screen) Close() { s.Finish() }

// Downloads shows the progress of downloads.
func (s *screen) Downloads() data.Progress { return &download{screen: s} }

type download struct {
	screen  *screen
	name    string
	bar     *mpb.Bar
	total   int64
	done    int64
	quarter int64
}

// Start implements data.Progress.
func (d *download) Start(name string, total, done int64) {
	d.name, d.total, d.done, d.quarter = name, total, done, 0
	if d.screen.bars == nil {
		d.screen.Printf("downloading %s (%s)", name, megabytes(total))
		return
	}
	d.bar = d.screen.bars.AddBar(max(total, 1), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name("downloading "+name+" "), decor.CountersKibiByte("% .1f / % .1f")),
		mpb.AppendDecorators(decor.Percentage(), decor.Name("  ETA "), decor.AverageETA(decor.ET_STYLE_GO)))
	d.bar.SetCurrent(done)
}

// Add implements data.Progress.
func (d *download) Add(n int) {
	d.done += int64(n)
	if d.bar != nil {
		d.bar.SetCurrent(d.done)
		return
	}
	if d.total > 0 && d.done*4/d.total > d.quarter {
		d.quarter = d.done * 4 / d.total
		d.screen.Printf("%s: %d%%", d.name, 25*d.quarter)
	}
}

// Finish implements data.Progress.
func (d *download) Finish(err error) {
	if d.bar != nil {
		d.bar.Abort(true)
		d.bar.Wait()
		d.bar = nil
	}
	if err == nil {
		d.screen.Printf("%s: complete", d.name)
	}
}

func megabytes(n int64) string {
	if n < 0 {
		return "size unknown"
	}
	return strings.TrimSpace(fmt.Sprintf("%.1f MB", float64(n)/1e6))
}
