package volume

import (
	"fmt"
	"testing"
)

// Volumes are looked at again far more often than they change.
func BenchmarkWrite(b *testing.B) {
	files := Files{}
	for i := range 10 {
		files[fmt.Sprint("key", i)] = file("value")
	}
	for _, changing := range []bool{false, true} {
		b.Run(fmt.Sprintf("changing=%v", changing), func(b *testing.B) {
			disk, err := OpenDisk(b.TempDir(), "n1")
			if err != nil {
				b.Fatal(err)
			}
			defer disk.Close()
			for i := 0; b.Loop(); i++ {
				if changing {
					files["key0"] = file(fmt.Sprint(i))
				}
				if err := disk.write("pods/uid-1/volumes/kubernetes.io~secret/v", files, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
