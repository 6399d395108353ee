package main

import (
	"testing"
	"unsafe"

	"taskmaster/lib/config"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"
	"taskmaster/lib/timerslack"
)

// Go rounds what is allocated up to a size class; beyond 768 bytes the next
// is 896, which thousands of instances would take each.
func TestInstanceFitsItsSizeClass(t *testing.T) {
	const class = 768
	if size := unsafe.Sizeof(instance{}); size > class {
		t.Errorf("an instance takes %d bytes, more than %d", size, class)
	}
}

// TestSlackOfHelperOfEarlierTmd: a program whose spec says nothing of its timer
// slack finds that of its helper, which must be tmd's then.
func TestSlackOfHelperOfEarlierTmd(t *testing.T) {
	d := newDaemon(options{}, &config.File{})
	var err error
	if d.dir, err = statedir.Create(t.TempDir() + "/state"); err != nil {
		t.Fatal(err)
	}
	in := entered(d, "x", 1, config.Values{Cmd: []string{"x"}})[0]
	if err := in.run.Create(); err != nil {
		t.Fatal(err)
	}
	silent := spec.Default()
	silent.Name, silent.Cmd = in.name, in.conf.Cmd
	if err := statedir.Replace(in.run.Spec(), silent.Text()); err != nil {
		t.Fatal(err)
	}
	if d.readKeys(in); in.helperSlack() != 0 {
		t.Errorf("the helper of a silent spec has a slack of %d ns of its own", in.helperSlack())
	}
	if !d.writeSpec(in) {
		t.Fatal("the spec cannot be written")
	}
	for range 2 {
		if in.helperSlack() != timerslack.Coarse {
			t.Errorf("the helper of a spec that tells it has a slack of %d ns", in.helperSlack())
		}
		d.readKeys(in)
	}
}
