//go:build unix

package pki

import (
	"fmt"
	"os"
	"syscall"
)

// lock keeps other processes from changing the directory until unlock is called. It ends with the process.
func (d *directory) lock() (unlock func(), err error) {
	f, err := d.root.OpenFile(".lock", os.O_CREATE|os.O_RDWR, secret)
	if err != nil {
		return nil, cannot("lock", d.name, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", d.name, err)
	}
	return func() { f.Close() }, nil
}
