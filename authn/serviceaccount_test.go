package authn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"coracle/authn/token"
)

// world is a small cluster's objects, by namespace/name.
type world struct {
	accounts map[string]*corev1.ServiceAccount
	pods     map[string]*corev1.Pod
	secrets  map[string]*corev1.Secret
	nodes    map[string]*corev1.Node
}

func (w *world) ServiceAccount(ns, name string) *corev1.ServiceAccount {
	return w.accounts[ns+"/"+name]
}
func (w *world) Pod(ns, name string) *corev1.Pod       { return w.pods[ns+"/"+name] }
func (w *world) Secret(ns, name string) *corev1.Secret { return w.secrets[ns+"/"+name] }
func (w *world) Node(name string) *corev1.Node         { return w.nodes[name] }

func object(namespace, name, uid string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(uid)}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

const (
	issuerURL = "https://kubernetes.default.svc.cluster.local"
	oldIssuer = "https://old.example"
)

// accounts is a world with one account, pod, Secret and node, and what issues and judges its tokens.
type accounts struct {
	world    *world
	now      time.Time
	keys     *token.Keys
	issuer   *token.Issuer
	strategy *ServiceAccount
	used     []string
}

func newAccounts(t testing.TB) *accounts {
	t.Helper()
	keys, err := token.NewKeys(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	a := &accounts{
		world: &world{
			accounts: map[string]*corev1.ServiceAccount{"blue/sa": {ObjectMeta: object("blue", "sa", "sa-1"), Secrets: []corev1.ObjectReference{{Name: "sa-token"}}}},
			pods:     map[string]*corev1.Pod{"blue/web": {ObjectMeta: object("blue", "web", "pod-1")}},
			secrets:  map[string]*corev1.Secret{"blue/sa-token": {ObjectMeta: object("blue", "sa-token", "secret-1")}},
			nodes:    map[string]*corev1.Node{"node-1": {ObjectMeta: object("", "node-1", "node-1")}},
		},
		now: noon, keys: keys, issuer: &token.Issuer{URL: issuerURL, Keys: keys},
	}
	a.strategy = NewServiceAccount(ServiceAccountOptions{
		Keys: keys, Issuers: []string{issuerURL, oldIssuer}, Audiences: []string{issuerURL}, Lookup: a.world,
		Now:  func() time.Time { return a.now },
		Used: func(s *corev1.Secret, day string) { a.used = append(a.used, s.Name+" "+day) },
	})
	return a
}

// bound issues a token at noon for an hour, changed as said.
func (a *accounts) bound(t testing.TB, change ...func(*token.Request)) string {
	t.Helper()
	r := token.Request{Account: a.world.accounts["blue/sa"], Audiences: []string{issuerURL}, IssuedAt: noon, Lifetime: time.Hour}
	for _, c := range change {
		c(&r)
	}
	raw, err := a.issuer.Bound(r)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// legacy issues a legacy token and puts it into its Secret.
func (a *accounts) legacy(t testing.TB) string {
	t.Helper()
	secret := a.world.secrets["blue/sa-token"]
	raw, err := a.issuer.Legacy(a.world.accounts["blue/sa"], secret)
	if err != nil {
		t.Fatal(err)
	}
	secret.Data = map[string][]byte{"token": []byte(raw)}
	return raw
}

func (a *accounts) ask(t testing.TB, raw string, audiences ...string) Answer {
	if len(audiences) == 0 {
		audiences = []string{issuerURL}
	}
	return a.strategy.Authenticate(t.Context(), &Credentials{Token: raw, Audiences: audiences})
}

func toPod(a *accounts) func(*token.Request) {
	return func(r *token.Request) { r.Pod, r.Node = a.world.pods["blue/web"], a.world.nodes["node-1"] }
}

func toSecret(a *accounts) func(*token.Request) {
	return func(r *token.Request) { r.Secret = a.world.secrets["blue/sa-token"] }
}

func toNode(a *accounts) func(*token.Request) {
	return func(r *token.Request) { r.Node = a.world.nodes["node-1"] }
}

func TestServiceAccount_WhoItIs(t *testing.T) {
	a := newAccounts(t)
	const (
		jti  = "authentication.kubernetes.io/credential-id"
		pod  = "authentication.kubernetes.io/pod-name"
		podU = "authentication.kubernetes.io/pod-uid"
		node = "authentication.kubernetes.io/node-name"
		nodU = "authentication.kubernetes.io/node-uid"
	)
	for name, test := range map[string]struct {
		raw   string
		extra map[string][]string
	}{
		"bound to the account": {a.bound(t), map[string][]string{jti: {"JTI"}}},
		"bound to a Secret":    {a.bound(t, toSecret(a)), map[string][]string{jti: {"JTI"}}},
		"bound to a pod":       {a.bound(t, toPod(a)), map[string][]string{jti: {"JTI"}, pod: {"web"}, podU: {"pod-1"}, node: {"node-1"}, nodU: {"node-1"}}},
		"bound to a node":      {a.bound(t, toNode(a)), map[string][]string{jti: {"JTI"}, node: {"node-1"}, nodU: {"node-1"}}},
		"legacy":               {a.legacy(t), nil},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the second time from memory
				got := a.ask(t, test.raw)
				if got.Verdict != Accepted {
					t.Fatalf("%s: %v", got.Verdict, got.Why)
				}
				u := got.User
				if u.GetName() != "system:serviceaccount:blue:sa" || u.GetUID() != "sa-1" {
					t.Errorf("name %s, uid %s", u.GetName(), u.GetUID())
				}
				if diff := cmp.Diff([]string{"system:serviceaccounts", "system:serviceaccounts:blue", "system:authenticated"}, u.GetGroups()); diff != "" {
					t.Errorf("groups (-want +got):\n%s", diff)
				}
				extra := map[string][]string{}
				for k, v := range u.GetExtra() {
					extra[k] = v
				}
				if id, ok := extra[jti]; ok && strings.HasPrefix(id[0], "JTI=") {
					extra[jti] = []string{"JTI"}
				}
				if test.extra == nil {
					test.extra = map[string][]string{}
				}
				if diff := cmp.Diff(test.extra, extra); diff != "" {
					t.Errorf("extra (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestServiceAccount_Refuses(t *testing.T) {
	recently, longAgo := metav1.NewTime(noon.Add(-30*time.Second)), metav1.NewTime(noon.Add(-2*time.Minute))
	for name, test := range map[string]struct {
		issue func(t *testing.T, a *accounts) string
		then  func(a *accounts) // what happens to the world before the token is used
		ok    bool
		why   string
		says  string
	}{
		"expired": {
			then: func(a *accounts) { a.now = noon.Add(time.Hour + 3*time.Minute) },
			why:  "the token expired 3 minutes ago", says: "service account token has expired",
		},
		"expired within the leeway of a minute": {then: func(a *accounts) { a.now = noon.Add(time.Hour + 59*time.Second) }, ok: true},
		"not yet valid": {
			then: func(a *accounts) { a.now = noon.Add(-2 * time.Hour) },
			why:  "the token is not valid for another 2 hours", says: "service account token is not valid yet",
		},
		"the account is gone": {
			then: func(a *accounts) { delete(a.world.accounts, "blue/sa") },
			why:  "the token is for service account blue/sa, which does not exist any more", says: `serviceaccounts "sa" not found`,
		},
		"the account was made again": {
			then: func(a *accounts) {
				a.world.accounts["blue/sa"] = &corev1.ServiceAccount{ObjectMeta: object("blue", "sa", "sa-2")}
			},
			why:  "the token is for an earlier service account blue/sa, which was deleted; the present one of that name is another",
			says: "service account UID (sa-2) does not match claim (sa-1)",
		},
		"the account is being deleted": {
			then: func(a *accounts) { a.world.accounts["blue/sa"].DeletionTimestamp = &longAgo },
			why:  "service account blue/sa has been deleted", says: "service account blue/sa has been deleted",
		},
		"the account is being deleted since half a minute": {then: func(a *accounts) { a.world.accounts["blue/sa"].DeletionTimestamp = &recently }, ok: true},
		"the pod is gone": {
			issue: func(t *testing.T, a *accounts) string { return a.bound(t, toPod(a)) },
			then:  func(a *accounts) { delete(a.world.pods, "blue/web") },
			why:   `the token is bound to the pod "web", which does not exist any more`, says: "service account token has been invalidated",
		},
		"the pod was made again": {
			issue: func(t *testing.T, a *accounts) string { return a.bound(t, toPod(a)) },
			then:  func(a *accounts) { a.world.pods["blue/web"] = &corev1.Pod{ObjectMeta: object("blue", "web", "pod-2")} },
			why:   `the token is bound to an earlier pod "web", which was deleted; the present one of that name is another`,
			says:  "pod UID (pod-2) does not match service account pod ref claim (pod-1)",
		},
		"the pod's grace period is over": {
			issue: func(t *testing.T, a *accounts) string { return a.bound(t, toPod(a)) },
			then:  func(a *accounts) { a.world.pods["blue/web"].DeletionTimestamp = &longAgo },
			why:   `the token is bound to the pod "web", which is being deleted`, says: "service account token has been invalidated",
		},
		"the pod's node is gone, which does not matter": {
			issue: func(t *testing.T, a *accounts) string { return a.bound(t, toPod(a)) },
			then:  func(a *accounts) { delete(a.world.nodes, "node-1") }, ok: true,
		},
		"the Secret it is bound to was made again": {
			issue: func(t *testing.T, a *accounts) string { return a.bound(t, toSecret(a)) },
			then: func(a *accounts) {
				a.world.secrets["blue/sa-token"] = &corev1.Secret{ObjectMeta: object("blue", "sa-token", "secret-2")}
			},
			why:  `the token is bound to an earlier secret "sa-token", which was deleted; the present one of that name is another`,
			says: "secret UID (secret-2) does not match service account secret ref claim (secret-1)",
		},
		"the node it is bound to is gone": {
			issue: func(t *testing.T, a *accounts) string { return a.bound(t, toNode(a)) },
			then:  func(a *accounts) { delete(a.world.nodes, "node-1") },
			why:   `the token is bound to the node "node-1", which does not exist any more`, says: "service account token has been invalidated",
		},
		"the key was replaced": {
			then: func(a *accounts) { a.keys.Replace(newKey(t)) },
			why:  "it was signed with key id", says: "invalid signature, no keys found",
		},
		"the key was replaced, and still verifies": {
			then: func(a *accounts) { a.keys.Replace(newKey(t), a.keys.Current().Keys()[0].Public) }, ok: true,
		},
		"another audience": {
			issue: func(t *testing.T, a *accounts) string {
				return a.bound(t, func(r *token.Request) { r.Audiences = []string{"vault"} })
			},
			why:  `the token is for the audiences ["vault"], and one of ["https://kubernetes.default.svc.cluster.local"] is wanted`,
			says: `token audiences ["vault"] is invalid for the target audiences ["https://kubernetes.default.svc.cluster.local"]`,
		},
		"issued under an earlier issuer": {
			issue: func(t *testing.T, a *accounts) string { a.issuer.URL = oldIssuer; return a.bound(t) }, ok: true,
		},
		"signed by a stranger in our name": {
			issue: func(t *testing.T, a *accounts) string {
				keys, err := token.NewKeys(newKey(t))
				if err != nil {
					t.Fatal(err)
				}
				a.issuer.Keys = keys
				return a.bound(t)
			},
			why: "it was signed with key id", says: "invalid signature, no keys found",
		},
		"changed on the way": {
			issue: func(t *testing.T, a *accounts) string { raw := a.bound(t); return raw[:len(raw)-10] + "AAAAAAAAAA" },
			why:   "its signature does not fit: it was changed, or not signed by this cluster", says: "go-jose/go-jose: error in cryptographic primitive",
		},

		"legacy": {issue: issueLegacy, ok: true},
		"legacy, years later": {
			issue: issueLegacy, then: func(a *accounts) { a.now = noon.AddDate(30, 0, 0) }, ok: true,
		},
		"legacy, the Secret is gone": {
			issue: issueLegacy, then: func(a *accounts) { delete(a.world.secrets, "blue/sa-token") },
			why: "the token was kept in Secret blue/sa-token, which does not exist any more", says: "Token has been invalidated",
		},
		"legacy, the Secret is being deleted": {
			issue: issueLegacy, then: func(a *accounts) { a.world.secrets["blue/sa-token"].DeletionTimestamp = &recently },
			why: "the token is kept in Secret blue/sa-token, which is being deleted", says: "Token has been invalidated",
		},
		"legacy, the Secret holds another": {
			issue: func(t *testing.T, a *accounts) string { raw := a.legacy(t); a.legacy(t); return raw },
			why:   "the token's Secret blue/sa-token holds another one now", says: "Token does not match server's copy",
		},
		"legacy, the Secret was emptied": {
			issue: issueLegacy, then: func(a *accounts) { a.world.secrets["blue/sa-token"].Data = nil },
			why: "the token's Secret blue/sa-token holds another one now", says: "Token does not match server's copy",
		},
		"legacy, the account is gone": {
			issue: issueLegacy, then: func(a *accounts) { delete(a.world.accounts, "blue/sa") },
			why: "the token is for service account blue/sa, which does not exist any more", says: `serviceaccounts "sa" not found`,
		},
		"legacy, the account was made again": {
			issue: issueLegacy,
			then: func(a *accounts) {
				a.world.accounts["blue/sa"] = &corev1.ServiceAccount{ObjectMeta: object("blue", "sa", "sa-2")}
			},
			why:  "the token is for an earlier service account blue/sa, which was deleted; the present one of that name is another",
			says: "ServiceAccount UID (sa-2) does not match claim (sa-1)",
		},
		"legacy, the account is being deleted": {
			issue: issueLegacy, then: func(a *accounts) { a.world.accounts["blue/sa"].DeletionTimestamp = &recently },
			why: "ServiceAccount blue/sa has been deleted", says: "ServiceAccount blue/sa has been deleted",
		},
		"legacy, marked invalid by the cleaner": {
			issue: issueLegacy,
			then: func(a *accounts) {
				a.world.secrets["blue/sa-token"].Labels = map[string]string{labelInvalidSince: "2026-01-01"}
			},
			why:  "the token in secret blue/sa-token for service account blue/sa has been marked invalid. Use tokens from the TokenRequest API",
			says: "the token in secret blue/sa-token for service account blue/sa has been marked invalid. Use tokens from the TokenRequest API",
		},
	} {
		for _, remembered := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, seen before: %t", name, remembered), func(t *testing.T) {
				a := newAccounts(t)
				issue := func(t *testing.T, a *accounts) string { return a.bound(t) }
				if test.issue != nil {
					issue = test.issue
				}
				raw := issue(t, a)
				if remembered {
					a.ask(t, raw)
				}
				if test.then != nil {
					test.then(a)
				}
				got := a.ask(t, raw)
				if test.ok {
					if got.Verdict != Accepted {
						t.Fatalf("%s: %v", got.Verdict, got.Why)
					}
					return
				}
				if got.Verdict != Refused {
					t.Fatalf("%s, want refused", got.Verdict)
				}
				if got.User != nil {
					t.Errorf("refused, and yet a user: %v", got.User)
				}
				if diff := cmp.Diff(test.why, prefix(got.Why.Error(), test.why)); diff != "" {
					t.Errorf("why (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(test.says, prefix(sentence(got.Why).Error(), test.says)); diff != "" {
					t.Errorf("Kubernetes' sentence (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestServiceAccount_PassesOnOthersTokens(t *testing.T) {
	a := newAccounts(t)
	for name, test := range map[string]struct{ raw, why string }{
		"a word":            {"hello", "it is not a JSON Web Token"},
		"one megabyte":      {strings.Repeat("a", 1<<20), "it is longer than 16 KiB, which no service-account token is"},
		"of another issuer": {"e30.eyJpc3MiOiJodHRwczovL2RleC5leGFtcGxlIn0.", `the token's issuer is "https://dex.example"; those of service accounts are ["https://kubernetes.default.svc.cluster.local" "https://old.example"]`},
		"of no issuer":      {"e30.e30.", `the token's issuer is ""; those of service accounts are ["https://kubernetes.default.svc.cluster.local" "https://old.example"]`},
		"of ours, with a signature that is no base64": {"eyJhbGciOiJFUzI1NiJ9." + "eyJpc3MiOiJrdWJlcm5ldGVzL3NlcnZpY2VhY2NvdW50In0" + ".*", "it is not a JSON Web Token"},
	} {
		got := a.ask(t, test.raw)
		if got.Verdict != Passed || got.Why.Error() != test.why {
			t.Errorf("%s: %s, %v; want passed, %s", name, got.Verdict, got.Why, test.why)
		}
	}
}

func TestServiceAccount_Audiences(t *testing.T) {
	a := newAccounts(t)
	several := a.bound(t, func(r *token.Request) { r.Audiences = []string{"vault", issuerURL, "other"} })
	if got := a.ask(t, several, "other", "none", "vault"); !cmp.Equal(got.Audiences, []string{"other", "vault"}) {
		t.Errorf("audiences %q of %s", got.Audiences, got.Verdict)
	}
	if got := a.ask(t, several, "none"); got.Verdict != Refused {
		t.Errorf("%s for an audience that it does not name", got.Verdict)
	}
	legacy := a.legacy(t)
	if got := a.ask(t, legacy, "vault"); got.Verdict != Refused {
		t.Errorf("legacy: %s for an audience other than the API server", got.Verdict)
	}
}

func TestServiceAccount_NotesForTheAudit(t *testing.T) {
	a := newAccounts(t)
	stale := a.bound(t, toPod(a), func(r *token.Request) { r.WarnAfter = 10 * time.Minute })
	if got := a.ask(t, stale); got.Notes != nil {
		t.Errorf("before the threshold: %v", got.Notes)
	}
	a.now = noon.Add(12 * time.Minute)
	want := []Note{{"authentication.k8s.io/stale-token", "subject: system:serviceaccount:blue:sa, seconds after warning threshold: 120"}}
	if diff := cmp.Diff(want, a.ask(t, stale).Notes); diff != "" {
		t.Errorf("stale (-want +got):\n%s", diff)
	}

	legacy := a.legacy(t)
	want = []Note{{"authentication.k8s.io/legacy-token", "system:serviceaccount:blue:sa"}, {"authentication.k8s.io/legacy-token-autogenerated-secret", "sa-token"}}
	got := a.ask(t, legacy)
	if diff := cmp.Diff(want, got.Notes); diff != "" || got.Warning != "" {
		t.Errorf("auto-generated, warning %q (-want +got):\n%s", got.Warning, diff)
	}
	a.strategy.WarnLegacy = true
	if got := a.ask(t, legacy); got.Warning != warnAutogenerated {
		t.Errorf("warning %q", got.Warning)
	}
	a.world.accounts["blue/sa"].Secrets = nil
	want[1].Key = "authentication.k8s.io/legacy-token-manual-secret"
	got = a.ask(t, legacy)
	if diff := cmp.Diff(want, got.Notes); diff != "" || got.Warning != "" {
		t.Errorf("manual, warning %q (-want +got):\n%s", got.Warning, diff)
	}
	a.world.secrets["blue/sa-token"].Labels = map[string]string{labelInvalidSince: "x"}
	want = []Note{{"authentication.k8s.io/legacy-token-invalidated", "sa-token/blue"}}
	if diff := cmp.Diff(want, a.ask(t, legacy).Notes); diff != "" {
		t.Errorf("invalidated (-want +got):\n%s", diff)
	}
}

func TestServiceAccount_TellsOfUseOnceADay(t *testing.T) {
	a := newAccounts(t)
	legacy := a.legacy(t)
	for range 3 {
		a.ask(t, legacy)
	}
	if diff := cmp.Diff([]string{"sa-token 2026-03-01"}, a.used); diff != "" {
		t.Errorf("first day (-want +got):\n%s", diff)
	}
	a.now = noon.AddDate(0, 0, 1)
	a.world.secrets["blue/sa-token"].Labels = map[string]string{LabelLastUsed: "2026-03-02"}
	a.ask(t, legacy)
	if len(a.used) != 1 {
		t.Errorf("told, though the label says so already: %q", a.used)
	}
	a.now = noon.AddDate(0, 0, 2)
	a.ask(t, legacy)
	if diff := cmp.Diff([]string{"sa-token 2026-03-01", "sa-token 2026-03-03"}, a.used); diff != "" {
		t.Errorf("third day (-want +got):\n%s", diff)
	}
}

func BenchmarkServiceAccount(b *testing.B) {
	a := newAccounts(b)
	chain := NewChain(Strategies{
		Requests: []Authenticator{NewX509(nil, nil)}, Tokens: []Authenticator{a.strategy}, Anonymous: NewAnonymous(), Audiences: []string{issuerURL},
	})
	for name, raw := range map[string]string{"bound": a.bound(b, toPod(a)), "legacy": a.legacy(b)} {
		creds := withToken(raw)
		ask := func(b *testing.B) {
			if r := chain.Authenticate(b.Context(), creds); r.User == nil {
				b.Fatal(r.Error())
			}
		}
		b.Run(name+"/remembered", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ask(b)
			}
		})
		b.Run(name+"/first seen", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a.strategy.seen.Clear()
				ask(b)
			}
		})
	}
}

func issueLegacy(t *testing.T, a *accounts) string { return a.legacy(t) }

func TestServiceAccount_TakesLegacyTokensAtTheirWord(t *testing.T) { // --service-account-lookup=false
	a := newAccounts(t)
	a.strategy.NoLegacyLookup = true
	legacy, bound := a.legacy(t), a.bound(t)
	delete(a.world.secrets, "blue/sa-token")
	delete(a.world.accounts, "blue/sa")
	if got := a.ask(t, legacy); got.Verdict != Accepted || got.User.GetName() != "system:serviceaccount:blue:sa" {
		t.Errorf("legacy: %s, %v", got.Verdict, got.Why)
	}
	if got := a.ask(t, legacy[:len(legacy)-10]+"AAAAAAAAAA"); got.Verdict != Refused {
		t.Errorf("legacy, changed on the way: %s", got.Verdict)
	}
	if got := a.ask(t, bound); got.Verdict != Refused {
		t.Errorf("bound tokens are looked up in any case: %s", got.Verdict)
	}
}
