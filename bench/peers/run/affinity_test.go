package main

import (
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestProcessorsOfDistinctCoresComeFirst(t *testing.T) {
	if got := numbers(" 0-2,8\n"); !slices.Equal(got, []int{0, 1, 2, 8}) {
		t.Errorf("the list has %v", got)
	}
	if got := numbers("none"); got != nil {
		t.Errorf("no list has %v", got)
	}
	for _, c := range []struct {
		allowed, want []int
		siblings      func(id int) []int
	}{
		{[]int{0, 1, 2, 3}, []int{0, 2, 1, 3}, func(id int) []int { return []int{id &^ 1, id | 1} }},     // neighbours share a core
		{[]int{1, 2, 5, 6}, []int{1, 2, 5, 6}, func(id int) []int { return []int{id % 4, id%4 + 4} }},    // the second ones come after all
		{[]int{4, 5, 6, 7}, []int{4, 5, 6, 7}, func(id int) []int { return []int{id % 4, id%4 + 4} }},    // the first ones are not ours
		{[]int{3, 2}, []int{3, 2}, func(int) []int { return nil }},                                       // Linux does not tell
		{[]int{0, 1, 2, 3}, []int{0, 1, 2, 3}, func(int) []int { return []int{0, 1, 2, 3} }},             // one core
		{[]int{8, 9, 10, 11}, []int{8, 10, 9, 11}, func(id int) []int { return []int{id &^ 1, id | 1} }}, // they need not begin with 0
	} {
		if got := coresFirst(c.allowed, c.siblings); !slices.Equal(got, c.want) {
			t.Errorf("%v are taken in the order %v, want %v", c.allowed, got, c.want)
		}
	}
}

func TestContestantsAreBoundToTheProcessorsThatThereAre(t *testing.T) {
	if _, err := exec.LookPath("taskset"); err != nil || runtime.GOOS != "linux" {
		t.Skip("needs taskset")
	}
	if got := strings.Join(bound([]string{"it"}, []int{4, 6, 5}, 2), " "); got != "taskset -c 4,6 it" {
		t.Errorf("it is called as %q", got)
	}
	if got := strings.Join(bound([]string{"it"}, []int{4}, 2), " "); got != "it" {
		t.Errorf("more threads than processors: %q", got)
	}
	if got := processors(); len(got) != runtime.NumCPU() {
		t.Errorf("the processors are %v, and there are %d", got, runtime.NumCPU())
	}
}
