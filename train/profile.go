package train

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/atomicfile"
)

// ProfileFileName is the usual Config.Profile.
const ProfileFileName = "profile.json"

// BatchProfile is the profile of the training steps on batches of one size.
type BatchProfile struct {
	Batch int
	Held  bool // the gradients of these batches are only added up, for a later update
	// Idle says how long a device with memory of its own waited for the host, in steps before the profile's; nil where that is not known.
	// It is of whole steps, whatever their batches.
	Idle *graph.Idle
	// Memory is what a device with memory of its own holds it for, of the whole engine; nil where that is not known.
	Memory []graph.MemoryUse
	*graph.Profile
}

func (p *BatchProfile) name() string {
	if p.Held {
		return fmt.Sprintf("batch of %d, gradients added up", p.Batch)
	}
	return fmt.Sprintf("batch of %d", p.Batch)
}

// profiled counts a step, and ends the profile when it has as many as were asked for. That it cannot be written then is no
// reason to end a training.
func (t *Trainer) profiled() {
	if t.profile == nil {
		return
	}
	if !t.profile.timing {
		if err := t.watched(); err != nil {
			t.observer.Note(err.Error())
		}
		return
	}
	if t.profile.steps++; t.profile.steps == t.cfg.ProfileSteps {
		if err := t.finishProfile(); err != nil {
			t.observer.Note(err.Error())
		}
	}
}

// finishProfile ends the recording, writes the trace and the tables, and tells the observer. Later calls do nothing.
func (t *Trainer) finishProfile() error {
	if t.profile == nil {
		return nil
	}
	idle, memory := t.profile.idle, graph.MemoryUses(t.engine)
	t.profile = nil
	var all []*BatchProfile
	for key, s := range t.steps {
		s.machine.StopProfile()
		if p := s.machine.Profile(); p != nil && p.Runs > 0 {
			all = append(all, &BatchProfile{Batch: key.images, Held: key.hold, Idle: idle, Memory: memory, Profile: p})
		}
	}
	if len(all) == 0 {
		t.observer.Note("no step was run, so there is no profile")
		return nil
	}
	slices.SortFunc(all, func(a, b *BatchProfile) int {
		return cmp.Or(cmp.Compare(b.Wall, a.Wall), cmp.Compare(b.Batch, a.Batch))
	})
	files, err := writeProfile(t.profileFile(), all)
	if err != nil {
		return fmt.Errorf("train: the profile: %w", err)
	}
	if o, ok := t.observer.(ProfileObserver); ok {
		o.Profile(all, files)
	}
	return nil
}

// profileFile is where the trace goes: a bare name into the run's folder, a folder under its usual name.
func (t *Trainer) profileFile() string {
	path := t.cfg.Profile
	if info, err := os.Stat(path); err == nil && info.IsDir() && filepath.Base(path) != path {
		return filepath.Join(path, ProfileFileName)
	}
	if filepath.Ext(path) != ".json" {
		path += ".json"
	}
	if filepath.Base(path) == path {
		return t.dir.File(path)
	}
	return path
}

// writeProfile writes the trace of all profiles to path, and the tables beside it with the ending .txt.
func writeProfile(path string, all []*BatchProfile) (files []string, err error) {
	var names []string
	var profiles []*graph.Profile
	for _, p := range all {
		names, profiles = append(names, p.name()), append(profiles, p.Profile)
	}
	text := strings.TrimSuffix(path, ".json") + ".txt"
	err = atomicfile.WriteFile(path, func(w io.Writer) error { return graph.WriteTrace(w, names, profiles...) })
	if err == nil {
		err = atomicfile.WriteFile(text, func(w io.Writer) error {
			if idle := all[0].Idle; idle != nil {
				if _, err := fmt.Fprintf(w, "%s\n\n", idle); err != nil {
					return err
				}
			}
			if table := graph.MemoryTable(all[0].Memory); table != "" {
				if _, err := fmt.Fprintf(w, "device memory\n%s\n", table); err != nil {
					return err
				}
			}
			for i, p := range profiles {
				if _, err := fmt.Fprintf(w, "%s\n%s\n", names[i], p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return []string{path, text}, err
}
