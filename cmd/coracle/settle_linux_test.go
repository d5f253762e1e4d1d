package main

import (
	"bufio"
	"fmt"
	"os"
	"testing"
)

func TestReleaseProgram_LeavesFewerPagesResident(t *testing.T) {
	before := residentFilePages(t)
	if err := releaseProgram(); err != nil {
		t.Fatal(err)
	}
	if after := residentFilePages(t); after >= before {
		t.Errorf("%d kB of files were resident before, %d kB are after", before, after)
	}
}

// residentFilePages is how much of mapped files is in this process's memory, in kB.
func residentFilePages(t *testing.T) (kB int) {
	t.Helper()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "RssFile: %d kB", &kB); err == nil {
			return kB
		}
	}
	t.Fatal("/proc/self/status has no RssFile")
	return 0
}
