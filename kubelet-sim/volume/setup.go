package volume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coracle/kubelet-sim/downward"
)

// Failure is a volume that could not be set up.
type Failure struct {
	Volume string
	Err    error
}

// Error is the sentence of the FailedMount event.
func (f Failure) Error() string {
	return fmt.Sprintf("MountVolume.SetUp failed for volume %q : %v", f.Volume, f.Err)
}

func (f Failure) Unwrap() error { return f.Err }

// Setup makes the pod's volumes contain what they should now. It is called again whenever that may have changed;
// contents that did not change are not written. One volume's failure does not keep the others from being set up.
// refresh is when contents grow stale by themselves (tokens, certificates), zero for never.
func (d *Disk) Setup(ctx context.Context, pod *corev1.Pod, node downward.Node, sources Sources, now time.Time) (failures []Failure, refresh time.Time) {
	for i := range pod.Spec.Volumes {
		volume := &pod.Spec.Volumes[i]
		p := &payload{pod: pod, volume: volume.Name, node: node, sources: sources, files: Files{}}
		if err := d.setup(ctx, p, volume, now); err != nil {
			failures = append(failures, Failure{Volume: volume.Name, Err: err})
		}
		if !p.refresh.IsZero() && (refresh.IsZero() || p.refresh.Before(refresh)) {
			refresh = p.refresh
		}
	}
	return failures, refresh
}

func (d *Disk) setup(ctx context.Context, p *payload, volume *corev1.Volume, now time.Time) error {
	dir, err := d.dir(p.pod, volume)
	if err != nil {
		return err
	}
	switch {
	case volume.HostPath != nil:
		return d.hostPath(volume.HostPath)
	case volume.EmptyDir != nil:
		if err := d.root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		return d.root.Chmod(dir, 0o777) // whatever the umask: any user of the pod may write
	case volume.Secret != nil:
		p.mode = volume.Secret.DefaultMode
		err = p.secret(ctx, volume.Secret.SecretName, volume.Secret.Items, volume.Secret.Optional)
	case volume.ConfigMap != nil:
		p.mode = volume.ConfigMap.DefaultMode
		err = p.configMap(ctx, volume.ConfigMap.Name, volume.ConfigMap.Items, volume.ConfigMap.Optional)
	case volume.DownwardAPI != nil:
		p.mode = volume.DownwardAPI.DefaultMode
		err = p.downwardAPI(volume.DownwardAPI.Items)
	case volume.Projected != nil:
		p.mode = volume.Projected.DefaultMode
		err = p.projected(ctx, volume.Projected.Sources)
	}
	if err != nil {
		return err
	}
	if fsGroup(p.pod) != nil {
		for name, file := range p.files {
			file.Mode |= 0o440 // so that the group can read what it was given
			p.files[name] = file
		}
	}
	return d.write(dir, p.files, now)
}

func (d *Disk) write(dir string, files Files, now time.Time) error {
	if err := d.root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := d.root.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	_, err = Write(root, files, now)
	return err
}

// dir is where a volume lives, relative to the node's directory.
func (d *Disk) dir(pod *corev1.Pod, volume *corev1.Volume) (string, error) {
	if volume.HostPath != nil {
		return path.Join("rootfs", inside(volume.HostPath.Path)), nil
	}
	var plugin string
	switch {
	case volume.EmptyDir != nil:
		plugin = "kubernetes.io~empty-dir"
	case volume.Secret != nil:
		plugin = "kubernetes.io~secret"
	case volume.ConfigMap != nil:
		plugin = "kubernetes.io~configmap"
	case volume.DownwardAPI != nil:
		plugin = "kubernetes.io~downward-api"
	case volume.Projected != nil:
		plugin = "kubernetes.io~projected"
	default:
		return "", errors.New("no volume plugin matched: this kind of volume is not simulated")
	}
	if err := errors.Join(segment(string(pod.UID)), segment(volume.Name)); err != nil {
		return "", err
	}
	return path.Join(podDir(pod.UID), "volumes", plugin, volume.Name), nil
}

// hostPath looks at, or makes, a place on the simulated node. The real host is never touched.
func (d *Disk) hostPath(source *corev1.HostPathVolumeSource) error {
	root, err := d.root.OpenRoot("rootfs")
	if err != nil {
		return err
	}
	defer root.Close()
	name := inside(source.Path)
	if name == "" {
		name = "."
	}
	kind := corev1.HostPathUnset
	if source.Type != nil {
		kind = *source.Type
	}
	info, err := root.Stat(name)
	switch {
	case err == nil:
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case kind == corev1.HostPathUnset || kind == corev1.HostPathDirectoryOrCreate:
		return root.MkdirAll(name, 0o755) // a container runtime makes what is missing
	case kind == corev1.HostPathFileOrCreate:
		return root.WriteFile(name, nil, 0o644)
	}
	want := ""
	switch kind {
	case corev1.HostPathDirectory, corev1.HostPathDirectoryOrCreate:
		if info == nil || !info.IsDir() {
			want = "directory"
		}
	case corev1.HostPathFile, corev1.HostPathFileOrCreate:
		if info == nil || !info.Mode().IsRegular() {
			want = "file"
		}
	case corev1.HostPathSocket:
		want = "socket file"
	case corev1.HostPathCharDev:
		want = "character device"
	case corev1.HostPathBlockDev:
		want = "block device"
	}
	if want != "" {
		return fmt.Errorf("hostPath type check failed: %s is not a %s", source.Path, want)
	}
	return nil
}
