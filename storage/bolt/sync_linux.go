package bolt

import (
	"os"
	"syscall"
)

// syncData waits until what was written to a file is on the disk. Its times are not waited for, and are of no use here.
func syncData(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return err
		}
	}
}
