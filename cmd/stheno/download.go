package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/stheno-ml/stheno/data"
)

// Downloads shows the progress of downloads.
func (s *screen) Downloads() data.Progress { return &download{screen: s} }

// download implements data.Progress on a screen.
type download struct {
	screen  *screen
	name    string
	total   int64 // bytes, negative when unknown
	done    int64
	quarter int64 // quarters reported in plain lines
}

// Start implements data.Progress.
func (d *download) Start(name string, total, done int64) {
	s := d.screen
	s.mu.Lock()
	defer s.mu.Unlock()
	d.name, d.total, d.done, d.quarter = name, total, done, 0
	if total > 0 {
		d.quarter = done * 4 / total
	}
	s.show("downloading "+name, total,
		mpb.PrependDecorators(decor.Name("downloading "+name+" "), decor.CountersKibiByte("% .1f / % .1f")),
		mpb.AppendDecorators(decor.Percentage(), decor.Name("  ETA "), decor.AverageETA(decor.ET_STYLE_GO)))
	if s.bar == nil {
		s.println(fmt.Sprintf("downloading %s (%s)", name, megabytes(total)))
		return
	}
	s.bar.SetCurrent(done)
}

// Add implements data.Progress.
func (d *download) Add(n int) {
	s := d.screen
	s.mu.Lock()
	defer s.mu.Unlock()
	d.done += int64(n)
	if s.bar != nil {
		s.bar.SetCurrent(d.done)
		return
	}
	if d.total > 0 && d.done*4/d.total > d.quarter {
		d.quarter = d.done * 4 / d.total
		s.println(fmt.Sprintf("%s: %d%%", d.name, 25*d.quarter))
	}
}

// Finish implements data.Progress.
func (d *download) Finish(err error) {
	s := d.screen
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropBar()
	switch {
	case err == nil:
		s.println(d.name + ": complete")
	case errors.Is(err, context.Canceled) && d.done > 0:
		s.println(d.name + ": the next start goes on where this one was stopped")
	}
}

func megabytes(n int64) string {
	if n < 0 {
		return "size unknown"
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
