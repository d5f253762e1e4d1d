package pki

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestJudgeFile_Kubeconfig judges kubeconfigs that name files, relative to the folder that they are in.
func TestJudgeFile_Kubeconfig(t *testing.T) {
	dir := t.TempDir()
	p := mustOpen(t, filepath.Join(dir, "pki"), Options{Now: at(epoch)})
	stranger := mustOpen(t, filepath.Join(dir, "stranger"), Options{Now: at(epoch)})
	pair, err := p.Authority().issuePair(Admin().profile())
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := pair.PEM()
	if err != nil {
		t.Fatal(err)
	}
	other, err := p.Authority().issuePair(Node("n").profile())
	if err != nil {
		t.Fatal(err)
	}
	_, otherKey, err := other.PEM()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"sub/alice.crt": cert, "sub/alice.key": key, "sub/open.key": key, "sub/other.key": otherKey, "sub/token": []byte("abc"), "sub/empty": nil, "ca.crt": p.CABundle(), "stranger.crt": stranger.CABundle(),
	} {
		if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "sub", "open.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	const files, trusting = "client-certificate: alice.crt, client-key: alice.key", "certificate-authority: ../ca.crt"
	for name, test := range map[string]struct {
		user, cluster string
		want          string // findings, + good, - wrong, ? cannot be judged
		says          string
		wantErr       string
	}{
		"files in its folder":             {user: files, cluster: trusting, want: "chain+ usage+ expiry+ key+ server+"},
		"files by their whole path":       {user: fmt.Sprintf("client-certificate: %[1]s/sub/alice.crt, client-key: %[1]s/sub/alice.key", dir), cluster: trusting, want: "chain+ usage+ expiry+ key+ server+"},
		"a key of another":                {user: "client-certificate: alice.crt, client-key: other.key", cluster: trusting, want: "chain+ usage+ expiry+ key- server+", says: "other.key does not belong to the certificate"},
		"a key that everybody may read":   {user: "client-certificate: alice.crt, client-key: open.key", cluster: trusting, want: "chain+ usage+ expiry+ key- server+", says: "mode 0644"},
		"a key that is not there":         {user: "client-certificate: alice.crt, client-key: gone.key", cluster: trusting, want: "chain+ usage+ expiry+ key- server+", says: "gone.key"},
		"no key":                          {user: "client-certificate: alice.crt", cluster: trusting, want: "chain+ usage+ expiry+ key- server+", says: "there is none"},
		"a certificate that is not there": {user: "client-certificate: gone.crt, client-key: alice.key", cluster: trusting, wantErr: "gone.crt"},
		"a file without a certificate":    {user: "client-certificate: empty, client-key: alice.key", cluster: trusting, wantErr: "there is no PEM certificate in it"},
		"another cluster's authority":     {user: files, cluster: "certificate-authority: ../stranger.crt", want: "chain+ usage+ expiry+ key+ server-", says: "is not this cluster's"},
		"no authority":                    {user: files, want: "chain+ usage+ expiry+ key+ server?"},
		"whoever answers":                 {user: files, cluster: "insecure-skip-tls-verify: true", want: "chain+ usage+ expiry+ key+ server-", says: "whoever answers"},
		"a token":                         {user: "token: secret-token", cluster: trusting, want: "server+ user?", says: "kubectl auth whoami"},
		"a token in a file":               {user: "tokenFile: token", cluster: trusting, want: "server+ user?", says: "sub/token"},
		"a token in a file that is gone":  {user: "tokenFile: gone", cluster: trusting, want: "server+ user-", says: "gone"},
		"a command":                       {user: "exec: {command: get-token, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}", cluster: trusting, want: "server+ user?", says: "it runs get-token"},
		"a password":                      {user: "username: a, password: secret-token", cluster: trusting, want: "server+ user?"},
		"nothing":                         {user: "", cluster: trusting, want: "server+ user?", says: "system:anonymous"},
		"a certificate, and acting":       {user: files + ", as: bob", cluster: trusting, want: "chain+ usage+ expiry+ key+ server+ user?", says: "acts as bob"},
	} {
		t.Run(name, func(t *testing.T) {
			text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {user: u, cluster: k}}],
users: [{name: u, user: {%s}}], clusters: [{name: k, cluster: {server: "https://127.0.0.1:6443", %s}}]}`, test.user, test.cluster)
			path := filepath.Join(dir, "sub", "a.conf")
			if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, ", }", "}")), 0o600); err != nil {
				t.Fatal(err)
			}
			j, _, err := JudgeFile(path, Question{Authorities: map[string][]*x509.Certificate{"ca": p.Authority().Trusted()}, Usage: x509.ExtKeyUsageAny, Now: epoch})
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) {
					t.Errorf("%v, want %s", err, test.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got, says []string
			for _, f := range j.Findings {
				mark := map[bool]string{true: "+", false: "-"}[f.Good]
				if f.Unknown {
					mark = "?"
				}
				got, says = append(got, f.Check+mark), append(says, f.Says)
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" || !strings.Contains(strings.Join(says, "\n"), test.says) {
				t.Errorf("(-want +got):\n%s\n%q", diff, says)
			}
			if strings.Contains(strings.Join(says, " "), "secret-token") {
				t.Error("a secret is told")
			}
			if j.Good() == strings.Contains(test.want, "-") {
				t.Errorf("good: %t", j.Good())
			}
		})
	}
}

func TestJudgeFile_Neither(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": "", "no context": "kind: Config", "broken": "{", "words": "hello"} {
		path := filepath.Join(dir, "f")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := JudgeFile(path, Question{Now: epoch}); err == nil {
			t.Errorf("%s: it is judged", name)
		}
	}
	if _, _, err := JudgeFile(dir, Question{Now: epoch}); err == nil {
		t.Error("a directory is judged")
	}
}
