//go:build !linux

package main

// releaseProgram does nothing where madvise(2) means something else.
func releaseProgram() error { return nil }
