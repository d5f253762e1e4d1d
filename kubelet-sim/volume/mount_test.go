package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"coracle/kubelet-sim/downward"
)

func noVariables(expr string) (string, error) { return "", errors.New("missing value for " + expr) }

// mountAll sets a pod's volumes up and shows them in its container.
func mountAll(t *testing.T, disk *Disk, pod *corev1.Pod, mounts ...corev1.VolumeMount) error {
	t.Helper()
	if failures, _ := disk.Setup(t.Context(), pod, downward.Node{}, sources{secret: map[string][]byte{"user": []byte("ann")}}, now); len(failures) > 0 {
		t.Fatal(failures)
	}
	container := &corev1.Container{Name: "web", VolumeMounts: mounts}
	resolved, err := disk.Mounts(pod, container, noVariables)
	if err != nil {
		return err
	}
	return disk.Rootfs(pod.UID, "web", Files{"/etc/hosts": file("hosts")}, resolved)
}

func TestRootfs(t *testing.T) {
	disk := openDisk(t)
	pod := podWith(secretVolume(corev1.SecretVolumeSource{}), emptyDir("scratch"), hostPath("log", "/var/log", corev1.HostPathUnset), hostPath("conf", "/app.conf", corev1.HostPathFileOrCreate))
	err := mountAll(t, disk, pod,
		corev1.VolumeMount{Name: "v", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"},
		corev1.VolumeMount{Name: "v", MountPath: "/etc/user", SubPath: "user"},
		corev1.VolumeMount{Name: "scratch", MountPath: "relative/path"},
		corev1.VolumeMount{Name: "scratch", MountPath: "/cache", SubPath: "made/here"},
		corev1.VolumeMount{Name: "log", MountPath: "/var/log"},
		corev1.VolumeMount{Name: "conf", MountPath: "/app.conf"},
	)
	must(t, err)
	rootfs := disk.RootfsPath("uid-1", "web")
	must(t, os.WriteFile(filepath.Join(disk.Path(), "rootfs/var/log/syslog"), []byte("log"), 0o600),
		os.WriteFile(filepath.Join(disk.Path(), "rootfs/app.conf"), []byte("conf"), 0o600),
		os.WriteFile(filepath.Join(rootfs, "cache/file"), []byte("cached"), 0o600))
	for name, want := range map[string]string{
		"etc/hosts": "hosts",
		"var/run/secrets/kubernetes.io/serviceaccount/user": "ann",
		"etc/user":                     "ann",
		"relative/path/made/here/file": "cached",
		"var/log/syslog":               "log",
		"app.conf":                     "conf",
	} {
		if got, err := os.ReadFile(filepath.Join(rootfs, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	// Links are relative: the data directory can be moved.
	target, err := os.Readlink(filepath.Join(rootfs, "var/run/secrets/kubernetes.io/serviceaccount"))
	if err != nil || target != "../../../../../../../volumes/kubernetes.io~secret/v" {
		t.Errorf("link to %q, %v", target, err)
	}
}

func TestRootfs_MountsInsideMounts(t *testing.T) {
	disk := openDisk(t)
	pod := podWith(secretVolume(corev1.SecretVolumeSource{}), emptyDir("run"), emptyDir("etc"))
	mounts := []corev1.VolumeMount{ // the inner one first: order is not the user's business
		{Name: "v", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"},
		{Name: "run", MountPath: "/var/run"},
		{Name: "etc", MountPath: "/etc"},
		{Name: "v", MountPath: "/etc/creds/user", SubPath: "user"},
	}
	must(t, mountAll(t, disk, pod, mounts...))
	rootfs := disk.RootfsPath("uid-1", "web")
	for _, name := range []string{"var/run/secrets/kubernetes.io/serviceaccount/user", "etc/creds/user"} {
		if got, err := os.ReadFile(filepath.Join(rootfs, name)); err != nil || string(got) != "ann" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := os.Stat(filepath.Join(rootfs, "etc/hosts")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a mount does not hide what was there: %v", err)
	}
	must(t, mountAll(t, disk, pod, mounts...)) // as after a restart of the container
}

// A hostile pod may ask for anything, and may have put anything into its volumes. Nothing outside its own
// directory may be changed, and nothing outside may be shown to it.
func TestMounts_Hostile(t *testing.T) {
	plant := func(links ...string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			for i := 0; i < len(links); i += 2 {
				must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, links[i])), 0o700), os.Symlink(links[i+1], filepath.Join(dir, links[i])))
			}
		}
	}
	for _, test := range []struct {
		name   string
		plant  func(t *testing.T, scratch string) // into the emptyDir
		mounts []corev1.VolumeMount
		err    string // "" for accepted, and contained
		shows  string // where the mount then shows, in the rootfs
	}{
		{name: "a mountPath that climbs", mounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/../../../../etc"}}, shows: "etc"},
		{name: "a mountPath that climbs in the middle", mounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/a/../../../b/./c"}}, shows: "b/c"},
		{name: "the root directory as mountPath", mounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/a/.."}},
			err: `volume "scratch" cannot be mounted at the root directory of container "web"`},
		{name: "an absolute subPath", mounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/m", SubPath: "/etc"}},
			err: "error SubPath `/etc` must not be an absolute path"},
		{name: "a subPath that climbs", mounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/m", SubPath: "a/../../../x"}},
			err: "unable to provision SubPath `a/../../../x`: must not contain '..'"},
		{name: "a subPath that is a link to the host", plant: plant("sub", "/etc"), mounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/m", SubPath: "sub"}},
			err: `failed to prepare subPath for volumeMount "scratch" of container "web"`},
		{name: "a subPath through a link that climbs", plant: plant("sub", "../../../../.."), mounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/m", SubPath: "sub/uid-2/volumes"}},
			err: `failed to prepare subPath for volumeMount "scratch" of container "web"`},
		{name: "a subPath to be made behind a link that climbs", plant: plant("sub", "../../../../../../outside"), mounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/m", SubPath: "sub/new"}},
			err: `failed to prepare subPath for volumeMount "scratch" of container "web"`},
		{name: "a subPath that is a link within the volume", plant: plant("sub", "deep/down", "deep/down/x", "y"), mounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/m", SubPath: "sub"}}, shows: "m"},
		{name: "a mount point behind a link to the host", plant: plant("link", "/tmp"), mounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/m"}, {Name: "v", MountPath: "/m/link/inner"}},
			err: "mount at /m/link/inner: link is not a directory"},
		{name: "a mount point behind a link that climbs", plant: plant("link", "../.."), mounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/m"}, {Name: "v", MountPath: "/m/link/inner"}},
			err: "mount at /m/link/inner: link is not a directory"},
		{name: "a mount point behind a link that goes nowhere", plant: plant("link", "."), mounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/m"}, {Name: "v", MountPath: "/m/link/inner"}},
			err: "mount at /m/link/inner: link is not a directory"},
		{name: "a link where a mount is to be", plant: plant("inner", "/etc"), mounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/m"}, {Name: "v", MountPath: "/m/inner"}}, shows: "m/inner"},
		{name: "a volume that the pod does not have", mounts: []corev1.VolumeMount{{Name: "../x", MountPath: "/m"}},
			err: `cannot find volume "../x" to mount into container "web"`},
		{name: "a subPathExpr without its variable", mounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/m", SubPathExpr: "$(X)"}}, err: "missing value for $(X)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			disk := openDisk(t)
			data := filepath.Dir(filepath.Dir(disk.Path()))
			must(t, os.MkdirAll(filepath.Join(disk.Path(), "pods/uid-2/volumes"), 0o700), os.Mkdir(filepath.Join(data, "outside"), 0o700))
			pod := podWith(secretVolume(corev1.SecretVolumeSource{}), emptyDir("scratch"))
			if test.plant != nil {
				scratch := filepath.Join(disk.Path(), "pods/uid-1/volumes/kubernetes.io~empty-dir/scratch")
				must(t, os.MkdirAll(scratch, 0o700))
				test.plant(t, scratch)
			}
			err := mountAll(t, disk, pod, test.mounts...)
			if got := fmt.Sprint(err); err != nil && got != test.err || err == nil && test.err != "" {
				t.Errorf("error %v, want %q", err, test.err)
			}
			if test.shows != "" {
				real, err := filepath.EvalSymlinks(filepath.Join(disk.RootfsPath("uid-1", "web"), test.shows))
				must(t, err)
				volumes, err := filepath.EvalSymlinks(filepath.Join(disk.Path(), "pods/uid-1/volumes"))
				must(t, err)
				if !strings.HasPrefix(real, volumes+"/") {
					t.Errorf("%s shows %s, which is not the pod's", test.shows, real)
				}
			}
			if got := tree(t, data, "uid-1"); got != "nodes nodes/n1 nodes/n1/pods nodes/n1/pods/uid-2 nodes/n1/pods/uid-2/volumes nodes/n1/rootfs outside pods" {
				t.Errorf("something was made outside the pod's directory: %s", got)
			}
		})
	}
}

// tree lists the directory, without what is below the name skip.
func tree(t *testing.T, dir, skip string) string {
	t.Helper()
	var names []string
	must(t, filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if entry != nil && entry.Name() == skip {
			return fs.SkipDir
		}
		if rel, _ := filepath.Rel(dir, name); rel != "." {
			names = append(names, rel)
		}
		return err
	}))
	return strings.Join(names, " ")
}

// Another pod's link on the node, where hostPath volumes meet, leads no further than the node's root directory.
func TestMounts_HostPathLinks(t *testing.T) {
	disk := openDisk(t)
	must(t, os.Mkdir(filepath.Join(disk.Path(), "rootfs/shared"), 0o700))
	pod := podWith(hostPath("v", "/shared", corev1.HostPathDirectory))
	must(t, mountAll(t, disk, pod, corev1.VolumeMount{Name: "v", MountPath: "/m"}))
	must(t, os.Symlink("../../pods", filepath.Join(disk.Path(), "rootfs/shared/link")))
	if err := mountAll(t, disk, pod, corev1.VolumeMount{Name: "v", MountPath: "/m", SubPath: "link"}); err == nil {
		t.Error("a subPath led to the directories of all pods")
	}
	must(t, os.Remove(filepath.Join(disk.Path(), "rootfs/shared/link")), os.Remove(filepath.Join(disk.Path(), "rootfs/shared")),
		os.Symlink("../pods", filepath.Join(disk.Path(), "rootfs/shared")))
	resolved, err := disk.Mounts(pod, &corev1.Container{Name: "web", VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/m"}}}, noVariables)
	if err == nil {
		t.Errorf("the volume itself led to the directories of all pods: %+v", resolved)
	}
}

func TestMount_Open(t *testing.T) {
	disk := openDisk(t)
	pod := podWith(secretVolume(corev1.SecretVolumeSource{}), emptyDir("scratch"), hostPath("conf", "/app.conf", corev1.HostPathFileOrCreate))
	container := &corev1.Container{Name: "web", VolumeMounts: []corev1.VolumeMount{
		{Name: "v", MountPath: "/a"}, {Name: "scratch", MountPath: "/b", SubPath: "x"}, {Name: "scratch", MountPath: "/c", ReadOnly: true}, {Name: "conf", MountPath: "/d"}}}
	must(t, mountAll(t, disk, pod))
	mounts, err := disk.Mounts(pod, container, noVariables)
	must(t, err)
	var got []string
	for _, mount := range mounts {
		root, err := mount.Open()
		must(t, err)
		if mount.SubPath != "" {
			_, err = root.Stat(mount.SubPath)
			must(t, err)
		}
		root.Close()
		got = append(got, fmt.Sprintf("%s %q %v", mount.Path, mount.SubPath, mount.ReadOnly))
	}
	if diff := cmp.Diff([]string{`/a "" true`, `/b "x" false`, `/c "" true`, `/d "app.conf" false`}, got); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
}

func TestDisk_RefusesNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", "../x", "a\\b", "a\x00", strings.Repeat("x", 256)} {
		if _, err := OpenDisk(t.TempDir(), name); err == nil {
			t.Errorf("OpenDisk accepted the node name %q", name)
		}
		disk := openDisk(t)
		if _, err := disk.Container("uid-1", name); err == nil {
			t.Errorf("Container accepted %q", name)
		}
		if err := disk.Rootfs("uid-1", name, nil, nil); err == nil {
			t.Errorf("Rootfs accepted %q", name)
		}
		if disk.Link("blue", name, "uid-1", "web") == nil || disk.Link(name, "web", "uid-1", "web") == nil || disk.Link("blue", "web", "uid-1", name) == nil {
			t.Errorf("Link accepted %q", name)
		}
	}
}

// Whatever names, paths and contents a pod brings, nothing is made outside its own directory.
func FuzzMount(f *testing.F) {
	f.Add("scratch", "/m", "", "link", "/etc", "/m/link/x")
	f.Add("scratch", "/../../etc", "a/b", "a", "..", "/x")
	f.Add("..", "m", "sub", "sub", "../../../../..", "/m/sub/y")
	f.Add("s", "/a/./b", "x", "x/y", "../../../../../../outside", "/a/b/c")
	f.Fuzz(func(t *testing.T, volume, mountPath, subPath, link, target, innerPath string) {
		disk := openDisk(t)
		data := filepath.Dir(filepath.Dir(disk.Path()))
		must(t, os.Mkdir(filepath.Join(data, "outside"), 0o700))
		before := tree(t, data, "uid-1")
		pod := podWith(secretVolume(corev1.SecretVolumeSource{}), emptyDir(volume))
		disk.Setup(t.Context(), pod, downward.Node{}, sources{secret: map[string][]byte{"user": []byte("ann")}}, now)
		if dir, err := os.OpenRoot(filepath.Join(disk.Path(), "pods/uid-1/volumes/kubernetes.io~empty-dir")); err == nil {
			if scratch, err := dir.OpenRoot(volume); err == nil {
				_ = scratch.MkdirAll(filepath.Dir(link), 0o700)
				_ = scratch.Symlink(target, link)
				scratch.Close()
			}
			dir.Close()
		}
		mounts, err := disk.Mounts(pod, &corev1.Container{Name: "web", VolumeMounts: []corev1.VolumeMount{
			{Name: volume, MountPath: mountPath, SubPath: subPath}, {Name: "v", MountPath: innerPath}}}, noVariables)
		if err == nil {
			_ = disk.Rootfs("uid-1", "web", Files{"/etc/hosts": file("hosts")}, mounts)
		}
		if after := tree(t, data, "uid-1"); after != before {
			t.Errorf("before: %s\nafter:  %s", before, after)
		}
	})
}

func TestLinks(t *testing.T) {
	data := t.TempDir()
	one, err := OpenDisk(data, "n1")
	must(t, err)
	defer one.Close()
	two, err := OpenDisk(data, "n2")
	must(t, err)
	defer two.Close()

	must(t, one.Rootfs("uid-1", "web", Files{"/etc/hosts": file("first")}, nil), one.Link("blue", "web", "uid-1", "web"), one.Link("blue", "web", "uid-1", "side"))
	if got, err := os.ReadFile(filepath.Join(data, "pods/blue/web/web/etc/hosts")); err != nil || string(got) != "first" {
		t.Fatalf("%q, %v", got, err)
	}
	// A new pod of the same name, on another node, takes over the name; the old one's end leaves it alone.
	must(t, two.Rootfs("uid-2", "web", Files{"/etc/hosts": file("second")}, nil), two.Link("blue", "web", "uid-2", "web"),
		one.Unlink("blue", "web", "uid-1"), one.UnlinkOthers(nil))
	if got, err := os.ReadFile(filepath.Join(data, "pods/blue/web/web/etc/hosts")); err != nil || string(got) != "second" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := os.Lstat(filepath.Join(data, "pods/blue/web/side")); err == nil {
		t.Error("a link of the old pod is left")
	}
	must(t, two.UnlinkOthers(nil))
	if entries, _ := os.ReadDir(filepath.Join(data, "pods")); len(entries) > 0 {
		t.Errorf("left over: %v", entries)
	}
	must(t, two.Unlink("blue", "web", "uid-2")) // once more does no harm
}

func TestDisk_Remove(t *testing.T) {
	disk := openDisk(t)
	pod := podWith(emptyDir("scratch"))
	must(t, mountAll(t, disk, pod, corev1.VolumeMount{Name: "scratch", MountPath: "/m"}))
	// What removing must not follow.
	victim := filepath.Join(t.TempDir(), "victim")
	must(t, os.Mkdir(victim, 0o700), os.WriteFile(filepath.Join(victim, "file"), nil, 0o600),
		os.Symlink(victim, filepath.Join(disk.Path(), "pods/uid-1/volumes/kubernetes.io~empty-dir/scratch/link")))
	container, err := disk.Container("uid-1", "web")
	must(t, err, container.MkdirAll("logs", 0o700), container.WriteFile("logs/0.log", nil, 0o600), container.Close())

	must(t, disk.Unmount("uid-1"))
	if got := tree(t, filepath.Join(disk.Path(), "pods"), ""); got != "uid-1 uid-1/containers uid-1/containers/web uid-1/containers/web/logs uid-1/containers/web/logs/0.log" {
		t.Errorf("after Unmount: %s", got)
	}
	if uids, err := disk.Pods(); err != nil || len(uids) != 1 || uids[0] != "uid-1" {
		t.Errorf("pods %v, %v", uids, err)
	}
	must(t, disk.Remove("uid-1"), disk.Remove("uid-1"))
	if got := tree(t, filepath.Join(disk.Path(), "pods"), ""); got != "" {
		t.Errorf("after Remove: %s", got)
	}
	if _, err := os.Stat(filepath.Join(victim, "file")); err != nil {
		t.Errorf("removing followed a link: %v", err)
	}
	if disk.Remove("..") == nil || disk.Unmount("../..") == nil {
		t.Error("a pod called .. was removed")
	}
}
