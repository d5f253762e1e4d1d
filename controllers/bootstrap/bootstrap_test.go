package bootstrap_test

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/controllers/bootstrap"
	"coracle/controllers/looptest"
)

// token is the Secret of a token that may sign, with fields changed.
func token(id string, fields map[string]string) *corev1.Secret {
	all := map[string]string{"token-id": id, "token-secret": "secret-of-" + id, "usage-bootstrap-signing": "true"}
	maps.Copy(all, fields)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "bootstrap-token-" + id, UID: "1"},
		Type:       "bootstrap.kubernetes.io/token", Data: map[string][]byte{},
	}
	for k, v := range all {
		secret.Data[k] = []byte(v)
	}
	return secret
}

func in(d time.Duration) map[string]string {
	return map[string]string{"expiration": time.Now().Add(d).UTC().Format(time.RFC3339)}
}

func TestCleaner(t *testing.T) {
	for name, test := range map[string]struct {
		secret func() *corev1.Secret // made inside the bubble, whose clock it goes by
		gone   time.Duration         // after which it is gone; negative: never
	}{
		"a token whose time is over goes at once": {func() *corev1.Secret { return token("aaaaaa", in(-time.Second)) }, 0},
		"a token goes when its time is over":      {func() *corev1.Secret { return token("aaaaaa", in(time.Hour)) }, time.Hour},
		"a token without an end stays":            {func() *corev1.Secret { return token("aaaaaa", nil) }, -1},
		"a token whose end is no time goes":       {func() *corev1.Secret { return token("aaaaaa", map[string]string{"expiration": "soon"}) }, 0},
		"a Secret of another type stays, whatever it holds": {func() *corev1.Secret {
			s := token("aaaaaa", in(-time.Hour))
			s.Type = corev1.SecretTypeOpaque
			return s
		}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			looptest.Run(t, nil, func(t *testing.T, w *looptest.World) {
				secret := test.secret()
				w.Add(secret)
				w.Start(bootstrap.NewCleaner(w.Client, w.Factory, time.Now, w.Log))
				there := func() bool {
					_, err := w.Client.CoreV1().Secrets("kube-system").Get(t.Context(), secret.Name, metav1.GetOptions{})
					return !apierrors.IsNotFound(err)
				}
				if test.gone < 0 {
					w.Advance(1000 * time.Hour)
					if !there() {
						t.Error("it is gone")
					}
					return
				}
				if test.gone > 0 {
					w.Advance(test.gone - time.Second)
					if !there() {
						t.Error("it is gone too early")
					}
					w.Advance(time.Second)
				}
				if there() {
					t.Error("it is there still")
				}
			})
		})
	}
	t.Run("a token elsewhere than in kube-system stays: it is none", func(t *testing.T) {
		looptest.Run(t, nil, func(t *testing.T, w *looptest.World) {
			secret := token("aaaaaa", in(-time.Hour))
			secret.Namespace = "blue"
			w.Add(secret)
			w.Start(bootstrap.NewCleaner(w.Client, w.Factory, time.Now, w.Log))
			if _, err := w.Client.CoreV1().Secrets("blue").Get(t.Context(), secret.Name, metav1.GetOptions{}); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("a token that is prolonged lives longer", func(t *testing.T) {
		looptest.Run(t, nil, func(t *testing.T, w *looptest.World) {
			w.Add(token("aaaaaa", in(time.Minute)))
			w.Start(bootstrap.NewCleaner(w.Client, w.Factory, time.Now, w.Log))
			if _, err := w.Client.CoreV1().Secrets("kube-system").Update(t.Context(), token("aaaaaa", in(time.Hour)), metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Advance(30 * time.Minute)
			if _, err := w.Client.CoreV1().Secrets("kube-system").Get(t.Context(), "bootstrap-token-aaaaaa", metav1.GetOptions{}); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestSigner(t *testing.T) {
	sign := func(content, id, secret string) string { return content + " by " + id + " with " + secret }
	info := func(data map[string]string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-public", Name: "cluster-info"}, Data: data}
	}
	const byA = "K by aaaaaa with secret-of-aaaaaa"
	for name, test := range map[string]struct {
		objects func() []runtime.Object // made inside the bubble
		do      func(t *testing.T, w *looptest.World)
		want    map[string]string
	}{
		"each token that may sign does": {
			objects: func() []runtime.Object {
				return []runtime.Object{info(map[string]string{"kubeconfig": "K", "other": "kept"}), token("aaaaaa", nil), token("bbbbbb", in(time.Hour))}
			},
			want: map[string]string{"kubeconfig": "K", "other": "kept", "jws-kubeconfig-aaaaaa": byA, "jws-kubeconfig-bbbbbb": "K by bbbbbb with secret-of-bbbbbb"},
		},
		"others do not": {
			objects: func() []runtime.Object {
				renamed := token("eeeeee", nil)
				renamed.Name = "bootstrap-token-ffffff"
				elsewhere := token("gggggg", nil)
				elsewhere.Namespace = "blue"
				return []runtime.Object{
					info(map[string]string{"kubeconfig": "K"}),
					token("aaaaaa", map[string]string{"usage-bootstrap-signing": "yes"}), token("bbbbbb", in(-time.Second)),
					token("cccccc", map[string]string{"token-secret": ""}), token("dddddd", map[string]string{"token-id": ""}), renamed, elsewhere,
				}
			},
			want: map[string]string{"kubeconfig": "K"},
		},
		"signatures of tokens that are gone go": {
			objects: func() []runtime.Object {
				return []runtime.Object{info(map[string]string{"kubeconfig": "K", "jws-kubeconfig-zzzzzz": "old"}), token("aaaaaa", nil), token("bbbbbb", nil)}
			},
			do: func(t *testing.T, w *looptest.World) {
				if err := w.Client.CoreV1().Secrets("kube-system").Delete(t.Context(), "bootstrap-token-bbbbbb", metav1.DeleteOptions{}); err != nil {
					t.Fatal(err)
				}
			},
			want: map[string]string{"kubeconfig": "K", "jws-kubeconfig-aaaaaa": byA},
		},
		"a signature goes with its token's time": {
			objects: func() []runtime.Object {
				return []runtime.Object{info(map[string]string{"kubeconfig": "K"}), token("aaaaaa", nil), token("bbbbbb", in(time.Hour))}
			},
			do:   func(_ *testing.T, w *looptest.World) { w.Advance(time.Hour) },
			want: map[string]string{"kubeconfig": "K", "jws-kubeconfig-aaaaaa": byA},
		},
		"a kubeconfig that changes is signed anew, and a forged signature put right": {
			objects: func() []runtime.Object {
				return []runtime.Object{info(map[string]string{"kubeconfig": "K", "jws-kubeconfig-aaaaaa": "forged"}), token("aaaaaa", nil)}
			},
			do: func(t *testing.T, w *looptest.World) {
				if _, err := w.Client.CoreV1().ConfigMaps("kube-public").Update(t.Context(), info(map[string]string{"kubeconfig": "L"}), metav1.UpdateOptions{}); err != nil {
					t.Fatal(err)
				}
			},
			want: map[string]string{"kubeconfig": "L", "jws-kubeconfig-aaaaaa": "L by aaaaaa with secret-of-aaaaaa"},
		},
		"without a kubeconfig there is nothing to sign": {
			objects: func() []runtime.Object { return []runtime.Object{info(map[string]string{}), token("aaaaaa", nil)} },
			want:    map[string]string{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			looptest.Run(t, nil, func(t *testing.T, w *looptest.World) {
				w.Add(test.objects()...)
				w.Start(bootstrap.NewSigner(w.Client, w.Factory, sign, time.Now, w.Log))
				if test.do != nil {
					test.do(t, w)
					w.Settle()
				}
				got, err := w.Client.CoreV1().ConfigMaps("kube-public").Get(t.Context(), "cluster-info", metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, got.Data); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}
