package token_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"coracle/controllers/looptest"
	"coracle/controllers/token"
)

// minter makes tokens that say whom they are for.
type minter struct{}

func (minter) Mint(account *v1.ServiceAccount, secret *v1.Secret) (string, error) {
	return fmt.Sprintf("token of %s/%s (%s) in %s", account.Namespace, account.Name, account.UID, secret.Name), nil
}

var ca = []byte("the CA")

func start(w *looptest.World, classic bool) *token.Controller {
	c := token.New(w.Client, w.Factory, token.Config{
		Minter:              minter{},
		CA:                  func() []byte { return ca },
		MintForEveryAccount: classic,
	}, w.Log)
	w.Start(c)
	return c
}

func account(name string, uid types.UID, secrets ...string) *v1.ServiceAccount {
	a := &v1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: name, UID: uid}}
	for _, s := range secrets {
		a.Secrets = append(a.Secrets, v1.ObjectReference{Name: s})
	}
	return a
}

func tokenSecret(name, account string, uid types.UID) *v1.Secret {
	s := &v1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: name, Annotations: map[string]string{v1.ServiceAccountNameKey: account}},
		Type:       v1.SecretTypeServiceAccountToken,
	}
	if uid != "" {
		s.Annotations[v1.ServiceAccountUIDKey] = string(uid)
		s.Data = map[string][]byte{"token": []byte("old token"), "ca.crt": ca, "namespace": []byte("blue")}
	}
	return s
}

func secrets(t *testing.T, w *looptest.World) []v1.Secret {
	t.Helper()
	list, err := w.Client.CoreV1().Secrets("blue").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func listed(t *testing.T, w *looptest.World, name string) []string {
	t.Helper()
	a, err := w.Client.CoreV1().ServiceAccounts("blue").Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range a.Secrets {
		names = append(names, r.Name)
	}
	return names
}

// oneMadeSecret checks that there is one Secret, made for the account and listed by it, and returns it.
func oneMadeSecret(t *testing.T, w *looptest.World, name string) v1.Secret {
	t.Helper()
	all := secrets(t, w)
	if len(all) != 1 {
		t.Fatalf("there are %d secrets, want 1: %v", len(all), all)
	}
	s := all[0]
	if ok, _ := regexp.MatchString("^"+name+"-token-[bcdfghjklmnpqrstvwxz2456789]{5}$", s.Name); !ok {
		t.Errorf("the secret is called %q", s.Name)
	}
	if diff := cmp.Diff([]string{s.Name}, listed(t, w, name)); diff != "" {
		t.Errorf("the account's list (-want +got):\n%s", diff)
	}
	return s
}

func TestController_ClassicEra(t *testing.T) {
	t.Run("an account gets a complete secret and lists it", func(t *testing.T) {
		looptest.Run(t, nil, func(t *testing.T, w *looptest.World) {
			start(w, true)
			w.Add(account("some-sa", "u1"))
			w.Settle()
			s := oneMadeSecret(t, w, "some-sa")
			want := v1.Secret{
				Type: v1.SecretTypeServiceAccountToken,
				ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
					"kubernetes.io/service-account.name": "some-sa",
					"kubernetes.io/service-account.uid":  "u1",
				}},
				Data: map[string][]byte{
					"token":     []byte("token of blue/some-sa (u1) in " + s.Name),
					"ca.crt":    ca,
					"namespace": []byte("blue"),
				},
			}
			got := v1.Secret{Type: s.Type, ObjectMeta: metav1.ObjectMeta{Annotations: s.Annotations}, Data: s.Data}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("secret (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("a long name is cut as generated names are", func(t *testing.T) {
		looptest.Run(t, nil, func(t *testing.T, w *looptest.World) {
			long := strings.Repeat("a", 60)
			start(w, true)
			w.Add(account(long, "u1"))
			w.Settle()
			if got := secrets(t, w)[0].Name; len(got) != 63 || !strings.HasPrefix(got, long[:58]) {
				t.Errorf("name %q has %d characters, want 63", got, len(got))
			}
			w.Restart()
			start(w, true)
			if got := len(secrets(t, w)); got != 1 {
				t.Errorf("%d secrets after a restart, want 1", got)
			}
		})
	})
	t.Run("a secret that is deleted is replaced by another", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{account("some-sa", "u1")}, func(t *testing.T, w *looptest.World) {
			start(w, true)
			first := oneMadeSecret(t, w, "some-sa").Name
			if err := w.Client.CoreV1().Secrets("blue").Delete(t.Context(), first, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			if second := oneMadeSecret(t, w, "some-sa").Name; second == first {
				t.Errorf("the new secret has the old one's name %s", first)
			}
		})
	})
	t.Run("a restart between making and listing leaves no second secret", func(t *testing.T) {
		objects := []runtime.Object{account("some-sa", "u1"), tokenSecret("some-sa-token-bcdfg", "some-sa", "u1")}
		looptest.Run(t, objects, func(t *testing.T, w *looptest.World) {
			start(w, true)
			if got := oneMadeSecret(t, w, "some-sa").Name; got != "some-sa-token-bcdfg" {
				t.Errorf("listed %s", got)
			}
		})
	})
	t.Run("an answer that is lost leaves no second secret", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{account("some-sa", "u1")}, func(t *testing.T, w *looptest.World) {
			var name string
			w.Client.PrependReactor("create", "secrets", func(action clienttesting.Action) (bool, runtime.Object, error) {
				secret := action.(clienttesting.CreateAction).GetObject().(*v1.Secret)
				if name != "" {
					return false, nil, nil
				}
				name = secret.Name
				w.Add(secret)
				return true, nil, errors.New("connection lost")
			})
			start(w, true)
			w.Advance(1e9)
			if got := oneMadeSecret(t, w, "some-sa").Name; got != name {
				t.Errorf("listed %s, the first was %s", got, name)
			}
		})
	})
	t.Run("a conflict on the account leaves no second secret", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{account("some-sa", "u1")}, func(t *testing.T, w *looptest.World) {
			conflicts := 2
			w.Client.PrependReactor("update", "serviceaccounts", func(clienttesting.Action) (bool, runtime.Object, error) {
				conflicts--
				return conflicts >= 0, nil, apierrors.NewConflict(v1.Resource("serviceaccounts"), "some-sa", errors.New("modified"))
			})
			start(w, true)
			w.Advance(1e9)
			oneMadeSecret(t, w, "some-sa")
		})
	})
	t.Run("a secret made for an account that ended meanwhile is deleted", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{account("some-sa", "u1")}, func(t *testing.T, w *looptest.World) {
			w.Client.PrependReactor("update", "serviceaccounts", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, nil, apierrors.NewNotFound(v1.Resource("serviceaccounts"), "some-sa")
			})
			start(w, true)
			if got := secrets(t, w); len(got) != 0 {
				t.Errorf("left behind: %v", got[0].Name)
			}
		})
	})
	t.Run("a secret made by hand that is listed suffices", func(t *testing.T) {
		objects := []runtime.Object{account("some-sa", "u1", "mine"), tokenSecret("mine", "some-sa", "u1")}
		looptest.Run(t, objects, func(t *testing.T, w *looptest.World) {
			start(w, true)
			if got := len(secrets(t, w)); got != 1 {
				t.Errorf("%d secrets, want 1", got)
			}
		})
	})
	t.Run("a listed secret of another account does not suffice", func(t *testing.T) {
		objects := []runtime.Object{
			account("some-sa", "u1", "theirs"), account("other", "u2", "theirs"), tokenSecret("theirs", "other", "u2"),
		}
		looptest.Run(t, objects, func(t *testing.T, w *looptest.World) {
			start(w, true)
			if got := len(secrets(t, w)); got != 2 {
				t.Errorf("%d secrets, want 2", got)
			}
		})
	})
	t.Run("twenty accounts at once get one each, across a restart", func(t *testing.T) {
		looptest.Run(t, nil, func(t *testing.T, w *looptest.World) {
			start(w, true)
			for i := range 20 {
				w.Add(account(fmt.Sprintf("sa-%d", i), types.UID(fmt.Sprintf("u-%d", i))))
			}
			w.Settle()
			w.Restart()
			start(w, true)
			w.Advance(60e9)
			if got := len(secrets(t, w)); got != 20 {
				t.Errorf("%d secrets, want 20", got)
			}
		})
	})
}

func TestController_BothEras(t *testing.T) {
	t.Run("in the modern era no secret is made", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{account("some-sa", "u1")}, func(t *testing.T, w *looptest.World) {
			start(w, false)
			if got := secrets(t, w); len(got) != 0 {
				t.Errorf("made %s", got[0].Name)
			}
		})
	})
	t.Run("a secret made by hand is filled in", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{account("some-sa", "u1")}, func(t *testing.T, w *looptest.World) {
			start(w, false)
			w.Add(tokenSecret("mine", "some-sa", ""))
			w.Settle()
			got := secrets(t, w)[0]
			want := map[string][]byte{
				"token": []byte("token of blue/some-sa (u1) in mine"), "ca.crt": ca, "namespace": []byte("blue"),
			}
			if diff := cmp.Diff(want, got.Data); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
			if got := got.Annotations[v1.ServiceAccountUIDKey]; got != "u1" {
				t.Errorf("annotated with UID %q", got)
			}
		})
	})
	t.Run("what is taken out of a secret is put back, the token unchanged", func(t *testing.T) {
		s := tokenSecret("mine", "some-sa", "u1")
		s.Data = map[string][]byte{"token": []byte("old token"), "ca.crt": []byte("another CA")}
		looptest.Run(t, []runtime.Object{account("some-sa", "u1"), s}, func(t *testing.T, w *looptest.World) {
			start(w, false)
			want := tokenSecret("mine", "some-sa", "u1").Data
			if diff := cmp.Diff(want, secrets(t, w)[0].Data); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("a new CA reaches every secret", func(t *testing.T) {
		current := []byte("the first CA")
		looptest.Run(t, []runtime.Object{account("some-sa", "u1"), tokenSecret("mine", "some-sa", "u1")}, func(t *testing.T, w *looptest.World) {
			c := token.New(w.Client, w.Factory, token.Config{Minter: minter{}, CA: func() []byte { return current }}, w.Log)
			w.Start(c)
			current = []byte("the second CA")
			c.CAChanged()
			w.Settle()
			if got := secrets(t, w)[0].Data["ca.crt"]; string(got) != "the second CA" {
				t.Errorf("ca.crt is %q", got)
			}
		})
	})
	t.Run("secrets go with their account, others stay", func(t *testing.T) {
		opaque := &v1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "password"}, Type: v1.SecretTypeOpaque}
		objects := []runtime.Object{
			account("some-sa", "u1"), tokenSecret("a", "some-sa", "u1"), tokenSecret("b", "some-sa", "u1"),
			account("other", "u2"), tokenSecret("c", "other", "u2"), opaque,
		}
		looptest.Run(t, objects, func(t *testing.T, w *looptest.World) {
			start(w, false)
			if err := w.Client.CoreV1().ServiceAccounts("blue").Delete(t.Context(), "some-sa", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			var got []string
			for _, s := range secrets(t, w) {
				got = append(got, s.Name)
			}
			if diff := cmp.Diff([]string{"c", "password"}, got); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("a secret of an account that was made anew is deleted", func(t *testing.T) {
		objects := []runtime.Object{account("some-sa", "the-new-one"), tokenSecret("stale", "some-sa", "the-old-one")}
		looptest.Run(t, objects, func(t *testing.T, w *looptest.World) {
			start(w, false)
			if got := secrets(t, w); len(got) != 0 {
				t.Errorf("%s survived its account", got[0].Name)
			}
		})
	})
	t.Run("a secret that names an account that never was is deleted", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{tokenSecret("stray", "nobody", "")}, func(t *testing.T, w *looptest.World) {
			start(w, false)
			if got := secrets(t, w); len(got) != 0 {
				t.Errorf("%s has no account and stayed", got[0].Name)
			}
		})
	})
	t.Run("an account forgets a secret that is deleted", func(t *testing.T) {
		objects := []runtime.Object{
			account("some-sa", "u1", "a", "b"), tokenSecret("a", "some-sa", "u1"), tokenSecret("b", "some-sa", "u1"),
		}
		looptest.Run(t, objects, func(t *testing.T, w *looptest.World) {
			start(w, false)
			if err := w.Client.CoreV1().Secrets("blue").Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			if diff := cmp.Diff([]string{"b"}, listed(t, w, "some-sa")); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
		})
	})
}
