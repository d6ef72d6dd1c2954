package main

import (
	"cmp"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// processors are the numbers of those that this process may use, one of each core before the second ones; nil where Linux does not tell.
func processors() []int {
	for line := range strings.Lines(read("/proc/self/status")) {
		// The same set as sched_getaffinity's.
		if allowed, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			return coresFirst(numbers(allowed), func(id int) []int {
				return numbers(firstLine(filepath.Join("/sys/devices/system/cpu", fmt.Sprint("cpu", id), "topology/thread_siblings_list")))
			})
		}
	}
	return nil
}

// numbers are those of a list like "0-2,8"; nil if it is none.
func numbers(list string) (ids []int) {
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		from, to, _ := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		if err != nil {
			return nil
		}
		last, err := strconv.Atoi(cmp.Or(to, from))
		if err != nil {
			return nil
		}
		for id := first; id <= last; id++ {
			ids = append(ids, id)
		}
	}
	return ids
}

// coresFirst orders processors such that those which share a core with an earlier one come later.
func coresFirst(ids []int, siblings func(id int) []int) []int {
	place := map[int]int{} // among the processors of its core that may be used
	for _, id := range ids {
		for _, s := range siblings(id) {
			if s < id && slices.Contains(ids, s) {
				place[id]++
			}
		}
	}
	ids = slices.Clone(ids)
	slices.SortStableFunc(ids, func(a, b int) int { return place[a] - place[b] })
	return ids
}

// bound puts a command on as many of the processors as it shall have threads. Some contestants have no other way to be told.
func bound(command []string, processors []int, threads int) []string {
	if _, err := exec.LookPath("taskset"); err != nil || threads > len(processors) {
		return command
	}
	return append(taskset(processors, threads), command...)
}

// taskset is what comes before a command that is bound.
func taskset(processors []int, threads int) []string {
	var ids []string
	for _, id := range processors[:threads] {
		ids = append(ids, strconv.Itoa(id))
	}
	return []string{"taskset", "-c", strings.Join(ids, ",")}
}
