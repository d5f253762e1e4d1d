package volume

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Mount is one place in a container's root directory where a volume shows.
type Mount struct {
	// Path in the container, absolute and clean.
	Path string
	// SubPath is what is shown of the volume, "" for all. It is the container's to change into a symbolic link:
	// open it inside what Open returns.
	SubPath  string
	ReadOnly bool

	disk *Disk
	dir  string // the volume, relative to the node's directory
}

// Open opens the volume's directory. The caller closes it.
func (m Mount) Open() (*os.Root, error) { return m.disk.open(m.dir) }

// source is what the mount shows, relative to the node's directory.
func (m Mount) source() string { return path.Join(m.dir, m.SubPath) }

// Mounts are what the container sees of the pod's volumes, outer mounts before those inside them.
// expand resolves the $(NAME) of a subPathExpr. Directories that subPaths name are made.
// Source of the sentences: k8s.io/kubernetes/pkg/kubelet/kubelet_pods.go makeMounts.
func (d *Disk) Mounts(pod *corev1.Pod, container *corev1.Container, expand func(string) (string, error)) ([]Mount, error) {
	mounts := make([]Mount, 0, len(container.VolumeMounts))
	for _, wanted := range container.VolumeMounts {
		mount, err := d.mount(pod, container.Name, wanted, expand)
		if err != nil {
			return nil, err
		}
		mounts = append(mounts, mount)
	}
	slices.SortStableFunc(mounts, func(a, b Mount) int { return cmp.Compare(a.Path, b.Path) })
	return mounts, nil
}

func (d *Disk) mount(pod *corev1.Pod, container string, wanted corev1.VolumeMount, expand func(string) (string, error)) (Mount, error) {
	at := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == wanted.Name })
	if at < 0 {
		return Mount{}, fmt.Errorf("cannot find volume %q to mount into container %q", wanted.Name, container)
	}
	volume := &pod.Spec.Volumes[at]
	dir, err := d.dir(pod, volume)
	if err != nil {
		return Mount{}, err
	}
	mount := Mount{
		Path:     "/" + inside(wanted.MountPath),
		SubPath:  wanted.SubPath,
		ReadOnly: wanted.ReadOnly || volume.EmptyDir == nil && volume.HostPath == nil,
		disk:     d, dir: dir,
	}
	if mount.Path == "/" {
		return Mount{}, fmt.Errorf("volume %q cannot be mounted at the root directory of container %q", wanted.Name, container)
	}
	if wanted.SubPathExpr != "" {
		if mount.SubPath, err = expand(wanted.SubPathExpr); err != nil {
			return Mount{}, err
		}
	}
	if mount.SubPath == "" {
		return mount, d.whole(&mount)
	}
	if path.IsAbs(mount.SubPath) {
		return Mount{}, fmt.Errorf("error SubPath `%s` must not be an absolute path", mount.SubPath)
	}
	if slices.Contains(strings.Split(mount.SubPath, "/"), "..") {
		return Mount{}, fmt.Errorf("unable to provision SubPath `%s`: must not contain '..'", mount.SubPath)
	}
	if err := subPath(&mount); err != nil {
		// The details are kept from whoever made the pod: they may tell of what is not theirs.
		return Mount{}, fmt.Errorf("failed to prepare subPath for volumeMount %q of container %q", wanted.Name, container)
	}
	return mount, nil
}

// subPath checks that a subPath stays in its volume, symbolic links inside the volume included, and makes it
// where it is missing.
func subPath(mount *Mount) error {
	mount.SubPath = path.Clean(mount.SubPath)
	root, err := mount.Open()
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.Stat(mount.SubPath); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	volume, err := root.Stat(".")
	if err != nil {
		return err
	}
	return root.MkdirAll(mount.SubPath, volume.Mode().Perm())
}

// whole looks after hostPath volumes that are one file: they are shown as a part of their directory.
func (d *Disk) whole(mount *Mount) error {
	dir, ok := strings.CutPrefix(mount.dir, "rootfs/")
	if !ok {
		return nil
	}
	rootfs, err := d.root.OpenRoot("rootfs")
	if err != nil {
		return err
	}
	defer rootfs.Close()
	info, err := rootfs.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		mount.dir, mount.SubPath = path.Split(mount.dir)
		mount.dir = path.Clean(mount.dir)
	}
	return nil
}

// open opens a volume's directory. A hostPath is looked up inside the simulated node's root directory:
// a link that a pod made there leads no further than it would lead in a chroot.
func (d *Disk) open(dir string) (*os.Root, error) {
	name, ok := strings.CutPrefix(dir, "rootfs/")
	if !ok {
		return d.root.OpenRoot(dir)
	}
	rootfs, err := d.root.OpenRoot("rootfs")
	if err != nil {
		return nil, err
	}
	defer rootfs.Close()
	return rootfs.OpenRoot(name)
}
