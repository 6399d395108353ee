package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// siginfoChild reads si_pid out of the union that package unix leaves opaque:
// it is the first field behind the three ints that all siginfo_t begin with,
// padded to the alignment of a pointer (sigaction(2)).
func siginfoChild(info *unix.Siginfo) int {
	const align = unsafe.Sizeof(uintptr(0))
	const at = (3*4 + align - 1) / align * align
	return int(*(*int32)(unsafe.Pointer(uintptr(unsafe.Pointer(info)) + at)))
}
