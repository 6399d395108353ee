package procfs

import (
	"bytes"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Descendants returns all processes below root, parents before their
// children, root itself not among them; unwaited zombies are. It follows
// /proc/PID/task/TID/children where the kernel has it (CONFIG_PROC_CHILDREN),
// and otherwise reads the parent of every process once.
func Descendants(root int) []int {
	if hasChildrenFiles() {
		return below(root, children)
	}
	byParent := childrenOfAll()
	return below(root, func(pid int) []int { return byParent[pid] })
}

// Children returns the processes whose parent pid is, unwaited zombies too.
func Children(pid int) []int {
	if hasChildrenFiles() {
		return children(pid)
	}
	return childrenOfAll()[pid]
}

// hasChildrenFiles reports CONFIG_PROC_CHILDREN.
func hasChildrenFiles() bool {
	self := unix.Getpid()
	_, err := ReadFile(file(self, "task/")+strconv.Itoa(self)+"/children", 1)
	return err == nil
}

func below(root int, children func(int) []int) []int {
	found := slices.Clone(children(root))
	for i := 0; i < len(found); i++ {
		for _, child := range children(found[i]) {
			if !slices.Contains(found, child) {
				found = append(found, child)
			}
		}
	}
	return found
}

// children asks every thread of pid: a child belongs to the one that made it.
func children(pid int) []int {
	tasks, _ := numbers(file(pid, "task"))
	var found []int
	for _, task := range tasks {
		text, _ := ReadFile(file(pid, "task/")+strconv.Itoa(task)+"/children", 1<<20)
		for _, word := range bytes.Fields(text) {
			found = append(found, int(number(word)))
		}
	}
	return found
}

func childrenOfAll() map[int][]int {
	byParent := map[int][]int{}
	for pid, s := range Stats() {
		byParent[s.PPID] = append(byParent[s.PPID], pid)
	}
	return byParent
}
