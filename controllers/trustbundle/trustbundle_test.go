package trustbundle_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"coracle/controllers/looptest"
	"coracle/controllers/trustbundle"
)

// The names are those that kube-controller-manager gives bundles with these contents.
const (
	firstName  = "kubernetes.io:kube-apiserver-serving:26a308662fb1cc0a3b9fed63"
	secondName = "kubernetes.io:kube-apiserver-serving:7d80f09418b20ff0960998b5"
	staleName  = "kubernetes.io:kube-apiserver-serving:0123456789abcdef01234567"
)

func bundle(name, signer, anchors string) *certificatesv1.ClusterTrustBundle {
	return &certificatesv1.ClusterTrustBundle{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       certificatesv1.ClusterTrustBundleSpec{SignerName: signer, TrustBundle: anchors},
	}
}

// contents are the bundles that there are, and what they hold.
func contents(t *testing.T, w *looptest.World) map[string]string {
	t.Helper()
	list, err := w.Client.CertificatesV1().ClusterTrustBundles().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, b := range list.Items {
		found[b.Name] = b.Spec.TrustBundle
	}
	return found
}

func TestPublisher(t *testing.T) {
	var ca string
	const foreign = "example.com:boats:a"
	tests := []struct {
		name   string
		before []runtime.Object
		ca     string
		do     func(t *testing.T, w *looptest.World, p *trustbundle.Publisher)
		want   map[string]string
	}{
		{
			name: "it is published at the start", ca: "the first CA",
			want: map[string]string{firstName: "the first CA"},
		},
		{
			name: "it comes back when it is deleted", ca: "the first CA",
			do: func(t *testing.T, w *looptest.World, _ *trustbundle.Publisher) {
				if err := w.Client.CertificatesV1().ClusterTrustBundles().Delete(t.Context(), firstName, metav1.DeleteOptions{}); err != nil {
					t.Fatal(err)
				}
			},
			want: map[string]string{firstName: "the first CA"},
		},
		{
			name: "a new CA is a new bundle, and the old one goes", ca: "the first CA",
			do: func(_ *testing.T, _ *looptest.World, p *trustbundle.Publisher) {
				ca = "the second CA"
				p.CAChanged()
			},
			want: map[string]string{secondName: "the second CA"},
		},
		{
			name: "what another run has left goes", ca: "the first CA",
			before: []runtime.Object{bundle(staleName, trustbundle.Signer, "an old CA")},
			want:   map[string]string{firstName: "the first CA"},
		},
		{
			name: "a CA that somebody slips in is put right", ca: "the first CA",
			do: func(t *testing.T, w *looptest.World, _ *trustbundle.Publisher) {
				changed := bundle(firstName, trustbundle.Signer, "the attacker's CA")
				if _, err := w.Client.CertificatesV1().ClusterTrustBundles().Update(t.Context(), changed, metav1.UpdateOptions{}); err != nil {
					t.Fatal(err)
				}
			},
			want: map[string]string{firstName: "the first CA"},
		},
		{
			name: "a bundle that somebody adds for the signer goes", ca: "the first CA",
			do: func(_ *testing.T, w *looptest.World, _ *trustbundle.Publisher) {
				w.Add(bundle(staleName, trustbundle.Signer, "the attacker's CA"))
			},
			want: map[string]string{firstName: "the first CA"},
		},
		{
			name: "bundles of others are left alone", ca: "the first CA",
			before: []runtime.Object{bundle(foreign, "example.com/boats", "boats"), bundle("nobodys", "", "anchors")},
			want:   map[string]string{firstName: "the first CA", foreign: "boats", "nobodys": "anchors"},
		},
		{
			name:   "without a CA nothing is published and nothing deleted",
			before: []runtime.Object{bundle(staleName, trustbundle.Signer, "an old CA")},
			want:   map[string]string{staleName: "an old CA"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			looptest.Run(t, test.before, func(t *testing.T, w *looptest.World) {
				ca = test.ca
				p := trustbundle.New(w.Client, w.Factory, func() []byte { return []byte(ca) }, w.Log)
				w.Start(p)
				if test.do != nil {
					test.do(t, w, p)
					w.Settle()
				}
				if diff := cmp.Diff(test.want, contents(t, w)); diff != "" {
					t.Errorf("bundles (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A pod that starts in the middle of a change finds one bundle or both, never none.
func TestPublisher_DeletesTheOldOnlyWhenTheNewIsThere(t *testing.T) {
	looptest.Run(t, []runtime.Object{bundle(staleName, trustbundle.Signer, "an old CA")}, func(t *testing.T, w *looptest.World) {
		var refuse atomic.Bool
		refuse.Store(true)
		w.Client.PrependReactor("create", "clustertrustbundles", func(clienttesting.Action) (bool, runtime.Object, error) {
			return refuse.Load(), nil, errors.New("the server is busy")
		})
		w.Start(trustbundle.New(w.Client, w.Factory, func() []byte { return []byte("the first CA") }, w.Log))
		if diff := cmp.Diff(map[string]string{staleName: "an old CA"}, contents(t, w)); diff != "" {
			t.Errorf("while the new one cannot be made (-want +got):\n%s", diff)
		}
		refuse.Store(false)
		w.Advance(time.Minute)
		if diff := cmp.Diff(map[string]string{firstName: "the first CA"}, contents(t, w)); diff != "" {
			t.Errorf("afterwards (-want +got):\n%s", diff)
		}
	})
}
