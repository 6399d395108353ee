package main

import (
	"testing"
	"unsafe"
)

// Go rounds what is allocated up to a size class; beyond 768 bytes the next
// is 896, which thousands of instances would take each.
func TestInstanceFitsItsSizeClass(t *testing.T) {
	const class = 768
	if size := unsafe.Sizeof(instance{}); size > class {
		t.Errorf("an instance takes %d bytes, more than %d", size, class)
	}
}
