package main

import (
	"bytes"
	"io"
)

// held keeps back what a command has to say until its flags are known to be right: an error about a flag then is all that is said. What
// comes after release goes on at once.
type held struct {
	note     func(line string)
	lines    []string
	text     bytes.Buffer // whole lines for to
	to       io.Writer
	released bool
}

// hold keeps back notes, and text for to.
func hold(note func(line string), to io.Writer) *held { return &held{note: note, to: to} }

// Note takes a line for note.
func (h *held) Note(line string) {
	if h.released {
		h.note(line)
		return
	}
	h.lines = append(h.lines, line)
}

// release says what was kept back, the text first.
func (h *held) release() {
	h.released = true
	_, _ = h.text.WriteTo(h.to) // standard error, which there is nothing to be said of
	for _, line := range h.lines {
		h.note(line)
	}
	h.lines = nil
}
