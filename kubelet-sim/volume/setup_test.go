package volume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/kubelet-sim/downward"
	"coracle/kubelet-sim/podcertificate"
)

// sources has one Secret, one ConfigMap, tokens, anchors and certificates.
type sources struct{ secret map[string][]byte }

func (s sources) Secret(_ context.Context, _, name string) (*corev1.Secret, error) {
	if name != "creds" {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "secret"}, name)
	}
	return &corev1.Secret{Data: s.secret}, nil
}

func (sources) ConfigMap(_ context.Context, _, name string) (*corev1.ConfigMap, error) {
	if name != "settings" {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "configmap"}, name)
	}
	return &corev1.ConfigMap{Data: map[string]string{"level": "debug"}, BinaryData: map[string][]byte{"blob": {0, 1}}}, nil
}

func (sources) Token(_ context.Context, namespace, account string, request *authv1.TokenRequest) (string, time.Time, error) {
	if account == "" {
		return "", time.Time{}, errors.New(`failed to fetch token: serviceaccounts "" not found`)
	}
	return "token of " + namespace + "/" + account + " for " + strings.Join(request.Spec.Audiences, ",") + " in " + string(request.Spec.BoundObjectRef.UID), now.Add(time.Hour), nil
}

func (sources) TrustAnchors(_ context.Context, source *corev1.ClusterTrustBundleProjection) ([]byte, error) {
	return []byte("anchors of " + *source.Name), nil
}

func (sources) PodCertificate(_ context.Context, pod *corev1.Pod, volume string, index int, source *corev1.PodCertificateProjection) (podcertificate.Credential, time.Time, error) {
	if source.SignerName == "" {
		return podcertificate.Credential{}, time.Time{}, errors.New("credential bundle is not issued yet")
	}
	return podcertificate.Credential{
		Key:   fmt.Appendf(nil, "key of %s in %s %d\n", pod.Name, volume, index),
		Chain: []byte("chain of " + source.SignerName + "\n"),
	}, now.Add(time.Hour), nil
}

func openDisk(t *testing.T) *Disk {
	t.Helper()
	disk, err := OpenDisk(t.TempDir(), "n1")
	must(t, err)
	t.Cleanup(func() { disk.Close() })
	return disk
}

func podWith(volumes ...corev1.Volume) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "web", UID: "uid-1", Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{ServiceAccountName: "some-sa", Volumes: volumes, Containers: []corev1.Container{{Name: "web"}}},
	}
}

func local(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }

func hostPath(name, path string, kind corev1.HostPathType) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path, Type: &kind}}}
}

func secretVolume(source corev1.SecretVolumeSource) corev1.Volume {
	source.SecretName = "creds"
	return corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &source}}
}

func emptyDir(name string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}
}

func TestSetup(t *testing.T) {
	all := sources{secret: map[string][]byte{"user": []byte("ann"), "pass": []byte("s3cret")}}
	expiration := int64(3607)
	for _, test := range []struct {
		name   string
		volume corev1.Volume
		edit   func(*corev1.Pod)
		dir    string            // below the pod's volumes
		want   map[string]string // contents
		modes  map[string]fs.FileMode
		err    string
	}{
		{name: "a Secret", volume: secretVolume(corev1.SecretVolumeSource{}), dir: "kubernetes.io~secret/v",
			want: map[string]string{"user": "ann", "pass": "s3cret"}, modes: map[string]fs.FileMode{"user": 0o644}},
		{name: "chosen keys of a Secret, with modes",
			volume: secretVolume(corev1.SecretVolumeSource{DefaultMode: new(int32(0o400)), Items: []corev1.KeyToPath{
				{Key: "user", Path: "who/name"}, {Key: "pass", Path: "pass", Mode: new(int32(0o600))}}}),
			dir: "kubernetes.io~secret/v", want: map[string]string{"who/name": "ann", "pass": "s3cret"},
			modes: map[string]fs.FileMode{"who/name": 0o400, "pass": 0o600}},
		{name: "a key that is not there", volume: secretVolume(corev1.SecretVolumeSource{Items: []corev1.KeyToPath{{Key: "none", Path: "x"}}}),
			err: `MountVolume.SetUp failed for volume "v" : references non-existent secret key: none`},
		{name: "an optional key that is not there", volume: secretVolume(corev1.SecretVolumeSource{Optional: new(true), Items: []corev1.KeyToPath{{Key: "none", Path: "x"}}}),
			dir: "kubernetes.io~secret/v", want: map[string]string{}},
		{name: "modes with an fsGroup", volume: secretVolume(corev1.SecretVolumeSource{DefaultMode: new(int32(0o400))}),
			edit: func(pod *corev1.Pod) { pod.Spec.SecurityContext = &corev1.PodSecurityContext{FSGroup: new(int64(7))} },
			dir:  "kubernetes.io~secret/v", want: map[string]string{"user": "ann", "pass": "s3cret"}, modes: map[string]fs.FileMode{"user": 0o440}},
		{name: "a missing Secret", volume: corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "none"}}},
			err: `MountVolume.SetUp failed for volume "v" : secret "none" not found`},
		{name: "an optional missing Secret", volume: corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "none", Optional: new(true)}}},
			dir: "kubernetes.io~secret/v", want: map[string]string{}},
		{name: "a ConfigMap", volume: corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: local("settings")}}},
			dir: "kubernetes.io~configmap/v", want: map[string]string{"level": "debug", "blob": "\x00\x01"}},
		{name: "a missing ConfigMap", volume: corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: local("none")}}},
			err: `MountVolume.SetUp failed for volume "v" : configmap "none" not found`},
		{name: "a key that a ConfigMap does not have", volume: corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: local("settings"), Items: []corev1.KeyToPath{{Key: "none", Path: "x"}}}}},
			err: `MountVolume.SetUp failed for volume "v" : configmap references non-existent config key: none`},
		{name: "the downward API", volume: corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{
			{Path: "labels", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels"}},
			{Path: "cpu", ResourceFieldRef: &corev1.ResourceFieldSelector{ContainerName: "web", Resource: "requests.cpu"}, Mode: new(int32(0o444))}}}}},
			dir: "kubernetes.io~downward-api/v", want: map[string]string{"labels": `app="web"`, "cpu": "0"}, modes: map[string]fs.FileMode{"cpu": 0o444}},
		{name: "what every pod of the modern era mounts", volume: corev1.Volume{Name: "kube-api-access-x", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			DefaultMode: new(int32(0o644)), Sources: []corev1.VolumeProjection{
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: &expiration, Audience: "api"}},
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: local("settings"), Items: []corev1.KeyToPath{{Key: "level", Path: "ca.crt"}}}},
				{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}}}}}}}},
			dir:   "kubernetes.io~projected/kube-api-access-x",
			want:  map[string]string{"token": "token of blue/some-sa for api in uid-1", "ca.crt": "debug", "namespace": "blue"},
			modes: map[string]fs.FileMode{"token": 0o644}},
		{name: "the token of a pod with one user is for that user alone", volume: corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}}}}}},
			edit: func(pod *corev1.Pod) {
				pod.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(1000))}
			},
			dir: "kubernetes.io~projected/v", want: map[string]string{"token": "token of blue/some-sa for  in uid-1"}, modes: map[string]fs.FileMode{"token": 0o600}},
		{name: "whom a pod trusts, and who it is, in all forms", volume: corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			DefaultMode: new(int32(0o440)), Sources: []corev1.VolumeProjection{
				{ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{Name: new("boats"), Path: "trust/ca.pem"}},
				{PodCertificate: &corev1.PodCertificateProjection{SignerName: "example.com/a", CredentialBundlePath: "both.pem"}},
				{PodCertificate: &corev1.PodCertificateProjection{SignerName: "example.com/b", KeyPath: "key.pem", CertificateChainPath: "chain.pem"}}}}}},
			dir: "kubernetes.io~projected/v",
			want: map[string]string{
				"trust/ca.pem": "anchors of boats", "both.pem": "key of web in v 1\nchain of example.com/a\n",
				"key.pem": "key of web in v 2\n", "chain.pem": "chain of example.com/b\n",
			},
			modes: map[string]fs.FileMode{"trust/ca.pem": 0o440, "both.pem": 0o440, "key.pem": 0o440, "chain.pem": 0o440}},
		{name: "the key of a pod with one user is for that user alone, and what it trusts", volume: corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{
				{ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{Name: new("boats"), Path: "ca.pem"}},
				{PodCertificate: &corev1.PodCertificateProjection{SignerName: "example.com/a", KeyPath: "key.pem"}}}}}},
			edit: func(pod *corev1.Pod) {
				pod.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(1000))}
			},
			dir: "kubernetes.io~projected/v", want: map[string]string{"ca.pem": "anchors of boats", "key.pem": "key of web in v 1\n"},
			modes: map[string]fs.FileMode{"ca.pem": 0o600, "key.pem": 0o600}},
		{name: "a certificate that is not there yet", volume: corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{PodCertificate: &corev1.PodCertificateProjection{KeyPath: "key.pem"}}}}}},
			err: `MountVolume.SetUp failed for volume "v" : credential bundle is not issued yet`},
		{name: "several projected sources that fail", volume: corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{LocalObjectReference: local("none")}}, {ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}}}}}},
			edit: func(pod *corev1.Pod) { pod.Spec.ServiceAccountName = "" },
			err:  `MountVolume.SetUp failed for volume "v" : [secret "none" not found, failed to fetch token: serviceaccounts "" not found]`},
		{name: "an emptyDir", volume: emptyDir("v"), dir: "kubernetes.io~empty-dir/v", want: map[string]string{}},
		{name: "a kind that is not simulated", volume: corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{}}},
			err: `MountVolume.SetUp failed for volume "v" : no volume plugin matched: this kind of volume is not simulated`},
		{name: "a path that would leave the volume", volume: secretVolume(corev1.SecretVolumeSource{Items: []corev1.KeyToPath{{Key: "user", Path: "../../../x"}}}),
			err: `MountVolume.SetUp failed for volume "v" : invalid path: must not start with '..': ../../../x`},
		{name: "a volume name that would leave the pod", volume: emptyDir("../../../../v"),
			err: `MountVolume.SetUp failed for volume "../../../../v" : "../../../../v" cannot be the name of a directory`},
	} {
		t.Run(test.name, func(t *testing.T) {
			disk := openDisk(t)
			pod := podWith(test.volume)
			if test.edit != nil {
				test.edit(pod)
			}
			failures, refresh := disk.Setup(t.Context(), pod, downward.Node{}, all, now)
			if test.err != "" {
				if len(failures) != 1 || failures[0].Error() != test.err {
					t.Errorf("failures %v, want %s", failures, test.err)
				}
				return
			}
			if len(failures) > 0 {
				t.Fatal(failures)
			}
			dir := filepath.Join(disk.Path(), "pods/uid-1/volumes", test.dir)
			if diff := cmp.Diff(test.want, visible(t, dir)); diff != "" {
				t.Errorf("contents (-want +got):\n%s", diff)
			}
			for name, want := range test.modes {
				info, err := os.Stat(filepath.Join(dir, name))
				must(t, err)
				if info.Mode() != want {
					t.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
				}
			}
			if test.volume.Projected != nil && !refresh.Equal(now.Add(time.Hour)) {
				t.Errorf("refresh at %v, want when the token says", refresh)
			}
		})
	}
}

func TestSetup_OneFailureDoesNotKeepTheOthersFromBeingSetUp(t *testing.T) {
	disk := openDisk(t)
	missing := corev1.Volume{Name: "missing", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "none"}}}
	failures, _ := disk.Setup(t.Context(), podWith(missing, emptyDir("scratch")), downward.Node{}, sources{}, now)
	if len(failures) != 1 || failures[0].Volume != "missing" {
		t.Errorf("failures %v", failures)
	}
	if _, err := os.Stat(filepath.Join(disk.Path(), "pods/uid-1/volumes/kubernetes.io~empty-dir/scratch")); err != nil {
		t.Error(err)
	}
}

func TestSetup_HostPathIsTheSimulatedNode(t *testing.T) {
	for _, test := range []struct {
		path string
		kind corev1.HostPathType
		want string // what is made, in the node's root directory
		err  string
	}{
		{path: "/var/log/app", kind: corev1.HostPathUnset, want: "var/log/app"},
		{path: "/../../../../tmp/x", kind: corev1.HostPathDirectoryOrCreate, want: "tmp/x"},
		{path: "/etc/app.conf", kind: corev1.HostPathFileOrCreate, err: "no such file or directory"}, // its directory is not there
		{path: "/app.conf", kind: corev1.HostPathFileOrCreate, want: "app.conf"},
		{path: "/etc", kind: corev1.HostPathDirectory, err: "hostPath type check failed: /etc is not a directory"},
		{path: "/etc/passwd", kind: corev1.HostPathFile, err: "hostPath type check failed: /etc/passwd is not a file"},
		{path: "/run/x.sock", kind: corev1.HostPathSocket, err: "hostPath type check failed: /run/x.sock is not a socket file"},
		{path: "/out/x", kind: corev1.HostPathDirectoryOrCreate, err: "escapes"},
		{path: "/up/x", kind: corev1.HostPathDirectoryOrCreate, err: "escapes"},
	} {
		t.Run(test.path+" "+string(test.kind), func(t *testing.T) {
			disk := openDisk(t)
			rootfs := filepath.Join(disk.Path(), "rootfs")
			// Links that a pod with the whole node mounted may have made.
			must(t, os.Symlink("/tmp", filepath.Join(rootfs, "out")), os.Symlink("../pods", filepath.Join(rootfs, "up")))
			failures, _ := disk.Setup(t.Context(), podWith(hostPath("v", test.path, test.kind)), downward.Node{}, sources{}, now)
			if test.err != "" {
				if len(failures) != 1 || !strings.Contains(failures[0].Error(), test.err) {
					t.Errorf("failures %v, want %s", failures, test.err)
				}
				return
			}
			if len(failures) > 0 {
				t.Fatal(failures)
			}
			if _, err := os.Stat(filepath.Join(rootfs, test.want)); err != nil {
				t.Error(err)
			}
		})
	}
}
