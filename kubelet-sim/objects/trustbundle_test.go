package objects

import (
	"context"
	"encoding/pem"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	testing_ "k8s.io/client-go/testing"
)

func anchorsPEM(anchors ...string) string {
	var out strings.Builder
	for _, a := range anchors {
		pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: []byte(a)})
	}
	return out.String()
}

// held are the anchors in PEM text, sorted; anything else in it is an error.
func held(t *testing.T, text []byte) []string {
	t.Helper()
	anchors := []string{}
	for len(text) > 0 {
		block, rest := pem.Decode(text)
		if block == nil || string(pem.EncodeToMemory(block)) != string(text[:len(text)-len(rest)]) {
			t.Fatalf("not PEM alone: %q", text)
		}
		anchors = append(anchors, string(block.Bytes))
		text = rest
	}
	slices.Sort(anchors)
	return anchors
}

func bundle(name, signer, live, text string) *certificatesv1.ClusterTrustBundle {
	return &certificatesv1.ClusterTrustBundle{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"live": live}},
		Spec:       certificatesv1.ClusterTrustBundleSpec{SignerName: signer, TrustBundle: text},
	}
}

func named(name string) *corev1.ClusterTrustBundleProjection {
	return &corev1.ClusterTrustBundleProjection{Name: &name}
}

func signedBy(signer string, selector *metav1.LabelSelector) *corev1.ClusterTrustBundleProjection {
	return &corev1.ClusterTrustBundleProjection{SignerName: &signer, LabelSelector: selector}
}

func optional(p *corev1.ClusterTrustBundleProjection) *corev1.ClusterTrustBundleProjection {
	p.Optional = new(true)
	return p
}

func podWithBundles(uid types.UID, sources ...*corev1.ClusterTrustBundleProjection) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", UID: uid}}
	for _, source := range sources {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{ClusterTrustBundle: source}}}}})
	}
	return pod
}

func TestTrustAnchors(t *testing.T) {
	everything := &metav1.LabelSelector{}
	live := &metav1.LabelSelector{MatchLabels: map[string]string{"live": "yes"}}
	bundles := []runtime.Object{
		bundle("plain", "", "yes", anchorsPEM("one", "two", "one")),
		bundle("example.com:boats:a", "example.com/boats", "yes", anchorsPEM("one", "two")),
		bundle("example.com:boats:b", "example.com/boats", "yes", "a comment\n"+anchorsPEM("three")+"more\n"+anchorsPEM("two")),
		bundle("example.com:boats:c", "example.com/boats", "no", anchorsPEM("four")),
		bundle("example.com:ships:a", "example.com/ships", "yes", anchorsPEM("five")),
	}
	for name, c := range map[string]struct {
		source *corev1.ClusterTrustBundleProjection
		want   []string
		err    string
	}{
		"by its name, each certificate once":     {source: named("plain"), want: []string{"one", "two"}},
		"one of a signer by its name":            {source: named("example.com:boats:c"), want: []string{"four"}},
		"a signer's, all of them":                {source: signedBy("example.com/boats", everything), want: []string{"four", "one", "three", "two"}},
		"a signer's with a label":                {source: signedBy("example.com/boats", live), want: []string{"one", "three", "two"}},
		"a selector that is not there":           {source: signedBy("example.com/boats", nil), err: "combination of signerName and labelSelector matched zero ClusterTrustBundles"},
		"a signer that has none":                 {source: signedBy("example.com/none", everything), err: "combination of signerName and labelSelector matched zero ClusterTrustBundles"},
		"a signer that has none, and may":        {source: optional(signedBy("example.com/none", everything)), want: []string{}},
		"a name that is not there":               {source: named("none"), err: `while getting ClusterTrustBundle: clustertrustbundle.certificates.k8s.io "none" not found`},
		"a name that is not there, and need not": {source: optional(named("none")), want: []string{}},
		"neither":                                {source: &corev1.ClusterTrustBundleProjection{}, err: "ClusterTrustBundle projection requires either name or signerName to be set"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				store := New(fake.NewClientset(bundles...), slog.New(slog.DiscardHandler), func(types.UID) {})
				defer store.Wait()
				defer stop()
				store.Register(ctx, podWithBundles("p1", c.source))
				got, err := store.TrustAnchors(ctx, c.source)
				if c.err != "" {
					if err == nil || err.Error() != c.err {
						t.Fatalf("error %v, want %s", err, c.err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, held(t, got)); diff != "" {
					t.Errorf("anchors (-want +got):\n%s", diff)
				}
				if again, err := store.TrustAnchors(ctx, c.source); err != nil || string(again) != string(got) {
					t.Errorf("another order the second time: %v\n%s\n%s", err, got, again)
				}
			})
		})
	}
}

func TestTrustAnchors_FollowChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		client := fake.NewClientset(bundle("example.com:boats:a", "example.com/boats", "yes", anchorsPEM("one")))
		told := map[types.UID]int{}
		store := New(client, slog.New(slog.DiscardHandler), func(pod types.UID) { told[pod]++ })
		defer store.Wait()
		defer stop()
		store.Register(ctx, podWithSecrets("without"))
		synctest.Wait()
		if n := len(client.Actions()); n != 0 {
			t.Errorf("%d requests before a pod projects a bundle", n)
		}
		boats := signedBy("example.com/boats", &metav1.LabelSelector{})
		store.Register(ctx, podWithBundles("boats", boats))
		store.Register(ctx, podWithBundles("plain", optional(named("plain"))))
		store.Register(ctx, podWithBundles("gone", boats))
		store.Unregister("gone")
		synctest.Wait()
		api := client.CertificatesV1().ClusterTrustBundles()
		step := func(what string, err error, want []string, wake map[types.UID]int) {
			t.Helper()
			synctest.Wait()
			got, e := store.TrustAnchors(ctx, boats)
			if e != nil {
				got = nil
			}
			if diff := cmp.Diff(want, held(t, got)); diff != "" || err != nil {
				t.Errorf("%s: %v, anchors (-want +got):\n%s", what, err, diff)
			}
			if diff := cmp.Diff(wake, told); diff != "" {
				t.Errorf("%s: pods told (-want +got):\n%s", what, diff)
			}
			clear(told)
		}
		step("first", nil, []string{"one"}, map[types.UID]int{})
		_, err := api.Create(ctx, bundle("example.com:boats:b", "example.com/boats", "yes", anchorsPEM("two")), metav1.CreateOptions{})
		step("another", err, []string{"one", "two"}, map[types.UID]int{"boats": 1})
		_, err = api.Update(ctx, bundle("example.com:boats:b", "example.com/boats", "yes", anchorsPEM("three")), metav1.UpdateOptions{})
		step("changed", err, []string{"one", "three"}, map[types.UID]int{"boats": 1})
		err = api.Delete(ctx, "example.com:boats:a", metav1.DeleteOptions{})
		step("deleted", err, []string{"three"}, map[types.UID]int{"boats": 1})
		_, err = api.Create(ctx, bundle("plain", "", "yes", anchorsPEM("four")), metav1.CreateOptions{})
		step("somebody else's", err, []string{"three"}, map[types.UID]int{"plain": 1})
		err = api.Delete(ctx, "example.com:boats:b", metav1.DeleteOptions{})
		step("the last", err, []string{}, map[types.UID]int{"boats": 1})
	})
}

func TestTrustAnchors_ServerRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		client := fake.NewClientset(bundle("plain", "", "yes", anchorsPEM("one")))
		var refuse atomic.Bool
		refuse.Store(true)
		client.PrependReactor("list", "clustertrustbundles", func(testing_.Action) (bool, runtime.Object, error) {
			return refuse.Load(), nil, errors.New("the server is busy")
		})
		told := 0
		store := New(client, slog.New(slog.DiscardHandler), func(types.UID) { told++ })
		defer store.Wait()
		defer stop()
		store.Register(ctx, podWithBundles("p1", named("plain")))
		begin := time.Now()
		if _, err := store.TrustAnchors(ctx, named("plain")); err == nil || err.Error() != "ClusterTrustBundle informer has not yet synced" {
			t.Errorf("error %v", err)
		}
		if waited := time.Since(begin); waited != patience {
			t.Errorf("waited %v", waited)
		}
		refuse.Store(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if _, err := store.TrustAnchors(ctx, named("plain")); err != nil || told != 1 {
			t.Errorf("after the server changed its mind: %v, told %d times", err, told)
		}
	})
}
