package protection_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/controllers/looptest"
	"coracle/controllers/protection"
)

func start(w *looptest.World) {
	s := server{w}
	w.Start(protection.NewClaims(w.Client, s, w.Factory, w.Log), protection.NewVolumes(w.Metadata(), s, w.Log),
		protection.NewClasses(w.Metadata(), s, w.Log))
}

// server answers by path from the world's objects.
type server struct{ *looptest.World }

func (s server) Get(ctx context.Context, path string) ([]byte, error) {
	namespace, resource, name := parts(path)
	var obj any
	var err error
	switch core := s.Client.CoreV1(); {
	case resource == "persistentvolumeclaims" && name == "":
		obj, err = core.PersistentVolumeClaims("").List(ctx, metav1.ListOptions{})
	case resource == "persistentvolumeclaims":
		obj, err = core.PersistentVolumeClaims(namespace).Get(ctx, name, metav1.GetOptions{})
	case resource == "persistentvolumes" && name == "":
		obj, err = core.PersistentVolumes().List(ctx, metav1.ListOptions{})
	case resource == "persistentvolumes":
		obj, err = core.PersistentVolumes().Get(ctx, name, metav1.GetOptions{})
	default:
		obj, err = s.Client.StorageV1().VolumeAttributesClasses().Get(ctx, name, metav1.GetOptions{})
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(obj)
}

func (s server) Put(ctx context.Context, path string, body []byte) error {
	namespace, resource, _ := parts(path)
	switch resource {
	case "persistentvolumeclaims":
		return put(body, func(o *v1.PersistentVolumeClaim) error {
			_, err := s.Client.CoreV1().PersistentVolumeClaims(namespace).Update(ctx, o, metav1.UpdateOptions{})
			return err
		})
	case "persistentvolumes":
		return put(body, func(o *v1.PersistentVolume) error {
			_, err := s.Client.CoreV1().PersistentVolumes().Update(ctx, o, metav1.UpdateOptions{})
			return err
		})
	}
	return put(body, func(o *storagev1.VolumeAttributesClass) error {
		_, err := s.Client.StorageV1().VolumeAttributesClasses().Update(ctx, o, metav1.UpdateOptions{})
		return err
	})
}

func put[T any](body []byte, update func(*T) error) error {
	obj := new(T)
	if err := json.Unmarshal(body, obj); err != nil {
		return err
	}
	return update(obj)
}

// parts of a path: its last two words are the resource and the name, or the resource alone.
func parts(path string) (namespace, resource, name string) {
	words := strings.Split(path, "/")
	for i, word := range words {
		switch word {
		case "namespaces":
			namespace = words[i+1]
		case "persistentvolumeclaims", "persistentvolumes", "volumeattributesclasses":
			resource = word
			if i+1 < len(words) {
				name = words[i+1]
			}
		}
	}
	return namespace, resource, name
}

func TestAClaimStaysWhileAPodOnANodeMountsIt(t *testing.T) {
	inVolume := func(source v1.VolumeSource) []v1.Volume { return []v1.Volume{{Name: "v", VolumeSource: source}} }
	mounting := inVolume(v1.VolumeSource{PersistentVolumeClaim: &v1.PersistentVolumeClaimVolumeSource{ClaimName: "pod-v"}})
	ephemeral := inVolume(v1.VolumeSource{Ephemeral: &v1.EphemeralVolumeSource{}})
	for _, test := range []struct {
		name    string
		spec    v1.PodSpec
		owned   bool // the claim is the pod's
		deleted bool // is the claim's pod gone before the claim
		stays   bool
	}{
		{"mounted by a pod on a node", v1.PodSpec{NodeName: "n", Volumes: mounting}, false, false, true},
		{"mounted by a pod on no node", v1.PodSpec{Volumes: mounting}, false, false, false},
		{"mounted by nobody", v1.PodSpec{NodeName: "n"}, false, false, false},
		{"of an ephemeral volume", v1.PodSpec{NodeName: "n", Volumes: ephemeral}, true, false, true},
		{"only named as that of an ephemeral volume", v1.PodSpec{NodeName: "n", Volumes: ephemeral}, false, false, false},
		{"mounted by a pod that is gone", v1.PodSpec{NodeName: "n", Volumes: mounting}, false, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			claim := &v1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "pod-v"}}
			pod := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "pod", UID: "u"}, Spec: test.spec}
			if test.owned {
				claim.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "pod", UID: "u", Controller: new(true)}}
			}
			looptest.Run(t, []runtime.Object{claim, pod}, func(t *testing.T, w *looptest.World) {
				start(w)
				w.Settle()
				claims, pods := w.Client.CoreV1().PersistentVolumeClaims("default"), w.Client.CoreV1().Pods("default")
				held, err := claims.Get(t.Context(), "pod-v", metav1.GetOptions{})
				if err != nil || len(held.Finalizers) != 1 {
					t.Fatalf("a claim from before has the finalizers %v, %v", held.Finalizers, err)
				}
				if err := claims.Delete(t.Context(), "pod-v", metav1.DeleteOptions{}); err != nil {
					t.Fatal(err)
				}
				if test.deleted {
					if err := pods.Delete(t.Context(), "pod", metav1.DeleteOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				w.Settle()
				if _, err := claims.Get(t.Context(), "pod-v", metav1.GetOptions{}); apierrors.IsNotFound(err) == test.stays {
					t.Errorf("the claim: %v, stays: %t", err, test.stays)
				}
			})
		})
	}
}

func TestAVolumeStaysWhileItIsBound(t *testing.T) {
	volume := &v1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "v"}, Status: v1.PersistentVolumeStatus{Phase: v1.VolumeBound}}
	looptest.Run(t, []runtime.Object{volume}, func(t *testing.T, w *looptest.World) {
		start(w)
		w.Settle()
		volumes := w.Client.CoreV1().PersistentVolumes()
		if err := volumes.Delete(t.Context(), "v", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		w.Settle()
		stored, err := volumes.Get(t.Context(), "v", metav1.GetOptions{})
		if err != nil {
			t.Fatalf("a bound volume: %v", err)
		}
		stored.Status.Phase = v1.VolumeReleased
		if _, err := volumes.UpdateStatus(t.Context(), stored, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.Settle()
		if _, err := volumes.Get(t.Context(), "v", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("a released volume: %v", err)
		}
	})
}

func TestAClassStaysWhileItIsNamed(t *testing.T) {
	class := &storagev1.VolumeAttributesClass{ObjectMeta: metav1.ObjectMeta{Name: "fast"}}
	claim := &v1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "c"},
		Spec:       v1.PersistentVolumeClaimSpec{VolumeAttributesClassName: new("fast")},
	}
	looptest.Run(t, []runtime.Object{class, claim}, func(t *testing.T, w *looptest.World) {
		start(w)
		w.Settle()
		classes := w.Client.StorageV1().VolumeAttributesClasses()
		if err := classes.Delete(t.Context(), "fast", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		w.Settle()
		if _, err := classes.Get(t.Context(), "fast", metav1.GetOptions{}); err != nil {
			t.Fatalf("a class that a claim names: %v", err)
		}
		if err := w.Client.CoreV1().PersistentVolumeClaims("default").Delete(t.Context(), "c", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		w.Advance(30 * time.Second)
		if _, err := classes.Get(t.Context(), "fast", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("a class that nobody names: %v", err)
		}
	})
}
