package e2e

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// bearer is a request with a token.
func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// forger changes a good token, and signs it with a key that it has.
type forger struct {
	t      *testing.T
	header map[string]any
	claims jwt.MapClaims
	key    crypto.Signer // the cluster's own, as if it were stolen
	method jwt.SigningMethod
}

func newForger(t *testing.T, v *victim, token string) *forger {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(v.dir, "pki", "sa.key"))
	if err != nil {
		t.Fatal(err)
	}
	f := &forger{t: t, header: parsed.Header, claims: parsed.Claims.(jwt.MapClaims), method: parsed.Method}
	if key, err := jwt.ParseRSAPrivateKeyFromPEM(data); err == nil {
		f.key = key
	} else if key, err := jwt.ParseECPrivateKeyFromPEM(data); err == nil {
		f.key = key
	} else {
		t.Fatal(err)
	}
	return f
}

// make forges a token. change may alter what it says.
func (f *forger) make(method jwt.SigningMethod, key any, change func(header map[string]any, claims jwt.MapClaims)) string {
	f.t.Helper()
	header, claims := map[string]any{}, jwt.MapClaims{}
	for k, v := range f.header {
		header[k] = v
	}
	for k, v := range f.claims {
		claims[k] = v
	}
	header["alg"] = method.Alg()
	if change != nil {
		change(header, claims)
	}
	s, err := (&jwt.Token{Header: header, Claims: claims, Method: method}).SignedString(key)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// signed is a token that is signed as it should be, with other claims.
func (f *forger) signed(change func(claims jwt.MapClaims)) string {
	f.t.Helper()
	return f.make(f.method, f.key, func(_ map[string]any, claims jwt.MapClaims) { change(claims) })
}

// Whoever has a token of some kind gets in with none but a good one.
func TestAttack_Tokens(t *testing.T) {
	v := newVictim(t)
	v.account(t, "blue", "some-sa")
	good := v.token(t, "blue", "some-sa", nil)
	f := newForger(t, v, good)
	public, err := x509.MarshalPKIXPublicKey(f.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	published := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	at := func(d time.Duration) *jwt.NumericDate { return jwt.NewNumericDate(time.Now().Add(d)) }

	recreated := v.token(t, "blue", "short-lived", nil)
	v.replaceAccount(t, "blue", "short-lived")
	kept, legacy := v.legacyToken(t, "blue", "old-style")
	v.replaceAccount(t, "blue", "old-style")
	v.secretGone(t, "blue", kept)
	orphan := v.podToken(t, "blue", "some-sa")

	for name, a := range map[string]attack{
		"alg none": {header: bearer(f.make(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil)), want: 401, why: `signed with "none", and no key of this cluster signs so`},
		"alg confusion: the public key as a password":  {header: bearer(f.make(jwt.SigningMethodHS256, published, nil)), want: 401, why: `signed with "HS256", and no key of this cluster signs so`},
		"alg confusion: the key's bytes as a password": {header: bearer(f.make(jwt.SigningMethodHS256, public, nil)), want: 401, why: `signed with "HS256", and no key of this cluster signs so`},
		"another's key under the right key id":         {header: bearer(f.make(jwt.SigningMethodES256, other, nil)), want: 401, why: `its signature does not fit`},
		"a foreign key id":                             {header: bearer(f.make(jwt.SigningMethodES256, other, func(h map[string]any, _ jwt.MapClaims) { h["kid"] = "mine" })), want: 401, why: `key id "mine", which this cluster does not know`},
		"a key brought along": {header: bearer(f.make(jwt.SigningMethodES256, other, func(h map[string]any, _ jwt.MapClaims) {
			h["jwk"] = map[string]string{"kty": "EC"}
			h["jku"] = v.url
			h["x5u"] = v.url
		})), want: 401, why: `its signature does not fit`},
		"one bit of the signature": {header: bearer(flipped(good)), want: 401, why: `its signature does not fit`},
		"expired": {header: bearer(f.signed(func(c jwt.MapClaims) {
			c["exp"], c["nbf"], c["iat"] = at(-3*time.Minute), at(-time.Hour), at(-time.Hour)
		})), want: 401, why: "expired 3 minutes ago"},
		"not yet valid":      {header: bearer(f.signed(func(c jwt.MapClaims) { c["nbf"] = at(time.Hour) })), want: 401, why: `the token is not valid for another`},
		"the wrong issuer":   {header: bearer(f.signed(func(c jwt.MapClaims) { c["iss"] = "https://elsewhere.example" })), want: 401, why: "https://elsewhere.example"},
		"the wrong audience": {header: bearer(f.signed(func(c jwt.MapClaims) { c["aud"] = []string{"vault"} })), want: 401, why: `the token is for the audiences ["vault"]`},
		"an account that was deleted and made again":           {header: bearer(recreated), want: 401, why: "the token is for an earlier service account blue/short-lived, which was deleted"},
		"the Secret's token of an account that was made again": {header: bearer(legacy), want: 401, why: `which does not exist any more`},
		"bound to a pod that is deleted":                       {header: bearer(orphan), want: 401, why: `the token is bound to the pod "gone", which does not exist any more`},
		"a megabyte":                                           {header: bearer(good + strings.Repeat("A", 1<<20)), want: 0},
		"half a megabyte":                                      {header: bearer(good[:len(good)-1] + strings.Repeat("A", 512<<10)), want: 401, why: `longer than 64 KiB`},
		"in the query string":                                  {path: secrets + "?access_token=" + good + "&token=" + good + "&authorization=Bearer%20" + good, want: 403, says: `User \"system:anonymous\"`},
		"in a cookie":                                          {header: http.Header{"Cookie": {"Authorization=Bearer " + good}}, want: 403, says: `User \"system:anonymous\"`},
		"two tokens, the bad one first":                        {header: http.Header{"Authorization": {"Bearer bad", "Bearer " + good}}, want: 401},
		"two tokens in one header":                             {header: bearer("bad, Bearer " + good), want: 401},
		"the token file's format":                              {header: http.Header{"Authorization": {"Basic " + good}}, want: 403, says: `User \"system:anonymous\"`},
	} {
		t.Run(name, func(t *testing.T) { v.run(t, a) })
	}
	t.Run("and a good one is let in", func(t *testing.T) {
		v.run(t, attack{header: bearer(good), want: 200})
	})
}

// flipped changes the last bits of a token's signature that count.
func flipped(token string) string {
	b := []byte(token)
	at := bytes.LastIndexByte(b, '.') + 10
	if b[at] == 'A' {
		b[at] = 'B'
	} else {
		b[at] = 'A'
	}
	return string(b)
}

// Nobody is somebody else by saying so.
func TestAttack_Claims(t *testing.T) {
	v := newVictim(t)
	v.account(t, "blue", "some-sa")
	me := v.token(t, "blue", "some-sa", nil)
	as := func(pairs ...string) http.Header {
		h := bearer(me)
		for i := 0; i < len(pairs); i += 2 {
			h.Add(pairs[i], pairs[i+1])
		}
		return h
	}
	client := func(by string, name string) []*tls.Certificate {
		return []*tls.Certificate{forge(t, v.authority(by), func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: name} })}
	}
	said := http.Header{"X-Remote-User": {"kubernetes-admin"}, "X-Remote-Group": {"system:masters"}}
	for name, a := range map[string]attack{
		"a proxy's headers without its certificate":          {header: said, want: 403, says: `User \"system:anonymous\"`},
		"a proxy's headers beside a token":                   {header: as("X-Remote-User", "kubernetes-admin", "X-Remote-Group", "system:masters"), path: "/api/v1/nodes", want: 403, says: `User \"system:serviceaccount:blue:some-sa\"`},
		"a proxy's headers beside a client's certificate":    {certificates: client("ca", "front-proxy-client"), header: said, want: 403, says: `User \"front-proxy-client\"`},
		"the proxy's authority, and another name":            {certificates: client("front-proxy-ca", "backup"), header: said, want: 401, why: `the certificate of "backup" is good, but only ["front-proxy-client"] may speak for others`},
		"headers spelt otherwise":                            {header: http.Header{"X_remote_user": {"kubernetes-admin"}}, want: 403, says: `User \"system:anonymous\"`},
		"two users from the proxy":                           {certificates: client("front-proxy-ca", "front-proxy-client"), header: http.Header{"X-Remote-User": {"alice", "kubernetes-admin"}}, want: 403, says: `User \"alice\"`},
		"no user from the proxy":                             {certificates: client("front-proxy-ca", "front-proxy-client"), header: http.Header{"X-Remote-Group": {"system:masters"}}, want: 401},
		"impersonating a user":                               {header: as("Impersonate-User", "alice"), want: 403, says: "cannot impersonate"},
		"impersonating an account":                           {header: as("Impersonate-User", "system:serviceaccount:kube-system:default"), want: 403, says: "cannot impersonate"},
		"impersonating a node":                               {header: as("Impersonate-User", "system:node:node-1"), want: 403, says: "cannot impersonate"},
		"impersonating a group":                              {header: as("Impersonate-User", "permitted", "Impersonate-Group", "system:masters"), want: 403, says: `cannot impersonate`},
		"impersonating a UID":                                {header: as("Impersonate-User", "permitted", "Impersonate-Uid", "1"), want: 403, says: `cannot impersonate`},
		"impersonating an extra":                             {header: as("Impersonate-User", "permitted", "Impersonate-Extra-Scopes", "all"), want: 403, says: `cannot impersonate`},
		"a group without a user":                             {header: as("Impersonate-Group", "system:masters"), want: 400},
		"two users":                                          {header: as("Impersonate-User", "permitted", "Impersonate-User", "kubernetes-admin"), want: 403, says: `User \"permitted\"`},
		"what is permitted gives no more than that user has": {header: as("Impersonate-User", "permitted"), want: 403, says: `User \"permitted\" cannot list`},
	} {
		t.Run(name, func(t *testing.T) { v.run(t, a) })
	}
}

// Bootstrap tokens are let in while they last, for what they are for, and cannot be guessed at.
func TestAttack_BootstrapTokens(t *testing.T) {
	v := newVictim(t)
	add := func(id string, change func(map[string]string)) {
		data := map[string]string{"token-id": id, "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true"}
		change(data)
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "bootstrap-token-" + id, Namespace: "kube-system"}, Type: "bootstrap.kubernetes.io/token", StringData: data}
		if _, err := v.client.CoreV1().Secrets("kube-system").Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	add("aaaaaa", func(map[string]string) {})
	add("bbbbbb", func(d map[string]string) {
		d["expiration"] = time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	})
	add("cccccc", func(d map[string]string) {
		delete(d, "usage-bootstrap-authentication")
		d["usage-bootstrap-signing"] = "true"
	})
	add("dddddd", func(d map[string]string) { d["auth-extra-groups"] = "system:masters" })
	for name, a := range map[string]attack{
		"a good one, for what it is not for": {header: bearer("aaaaaa.0123456789abcdef"), want: 403, says: `User \"system:bootstrap:aaaaaa\"`},
		"a guessed secret":                   {header: bearer("aaaaaa.0123456789abcdee"), want: 401, why: `bootstrap-token-aaaaaa holds another secret`},
		"a guessed id":                       {header: bearer("eeeeee.0123456789abcdef"), want: 401},
		"another Secret's name":              {header: bearer("../x.0123456789abcdef"), want: 401},
		"expired":                            {header: bearer("bbbbbb.0123456789abcdef"), want: 401},
		"for signing alone":                  {header: bearer("cccccc.0123456789abcdef"), want: 401, why: `is not for authentication`},
		"a group that is not for them":       {header: bearer("dddddd.0123456789abcdef"), want: 401, why: `names the group "system:masters"`},
	} {
		t.Run(name, func(t *testing.T) { v.run(t, a) })
	}
}

// account makes a namespace and an account in it that may read all Secrets, and act as the user `permitted`.
func (v *victim) account(t *testing.T, namespace, name string) {
	t.Helper()
	ctx, core, rbac := t.Context(), v.client.CoreV1(), v.client.RbacV1()
	_, err := core.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err == nil {
		_, err = core.ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "some"}, Rules: []rbacv1.PolicyRule{
		{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: []string{"secrets"}},
		{Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"users"}, ResourceNames: []string{"permitted"}},
	}}
	if err == nil {
		_, err = rbac.ClusterRoles().Create(ctx, role, metav1.CreateOptions{})
	}
	if err == nil {
		_, err = rbac.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "some"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "some"},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: namespace, Name: name}},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// token asks for a bound token; an account that is not there is made.
func (v *victim) token(t *testing.T, namespace, name string, to *authenticationv1.BoundObjectReference) string {
	t.Helper()
	api := v.client.CoreV1().ServiceAccounts(namespace)
	if _, err := api.Get(t.Context(), name, metav1.GetOptions{}); err != nil {
		if _, err := api.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := api.CreateToken(t.Context(), name, &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: to}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Status.Token
}

func (v *victim) replaceAccount(t *testing.T, namespace, name string) {
	t.Helper()
	api := v.client.CoreV1().ServiceAccounts(namespace)
	if err := api.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// legacyToken is the Secret that a new account gets in the classic era, and the token in it.
func (v *victim) legacyToken(t *testing.T, namespace, name string) (secret, token string) {
	t.Helper()
	if _, err := v.client.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(20 * time.Millisecond) {
		list, err := v.client.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list.Items {
			if s.Annotations[corev1.ServiceAccountNameKey] == name && len(s.Data[corev1.ServiceAccountTokenKey]) > 0 {
				return s.Name, string(s.Data[corev1.ServiceAccountTokenKey])
			}
		}
	}
	t.Fatalf("%s/%s has no token", namespace, name)
	return "", ""
}

// secretGone waits for the controller that removes the Secret of an account that was deleted.
func (v *victim) secretGone(t *testing.T, namespace, name string) {
	t.Helper()
	if err := until(t.Context(), func(ctx context.Context) (bool, error) {
		_, err := v.client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	}); err != nil {
		t.Fatal(err)
	}
}

// podToken is bound to a pod that is there no more.
func (v *victim) podToken(t *testing.T, namespace, account string) string {
	t.Helper()
	api := v.client.CoreV1().Pods(namespace)
	pod, err := api.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "gone"}, Spec: corev1.PodSpec{
		ServiceAccountName: account, SchedulerName: "nobody", Containers: []corev1.Container{{Name: "c", Image: "i"}},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	token := v.token(t, namespace, account, &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID})
	t.Run("bound to a pod that is there", func(t *testing.T) { v.run(t, attack{header: bearer(token), want: 200}) })
	if err := api.Delete(t.Context(), pod.Name, *metav1.NewDeleteOptions(0)); err != nil {
		t.Fatal(err)
	}
	return token
}
