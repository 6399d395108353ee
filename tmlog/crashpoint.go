//go:build !crashpoints

package main

// crashPoint marks a place where a rotation may be interrupted; the tests
// build a tmlog that ends there.
func crashPoint(string) {}
