package eks

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"sigs.k8s.io/aws-iam-authenticator/pkg/token"
)

const (
	cluster  = "boats"
	patience = 20 * time.Second
	users    = `users:
- name: ann
  accessKeys:
  - {id: AKIAANN0000000000001, secret: anns-secret}
  - {id: ASIAANN0000000000001, secret: roles-secret, sessionToken: roles-token, role: deployer}
`
	awsAuth = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"aws-auth","namespace":"kube-system"},"data":{
		"mapUsers":"[{userarn: 'arn:aws:iam::111122223333:user/ann', username: ann, groups: [dev]}]",
		"mapRoles":"[{rolearn: 'arn:aws:iam::111122223333:role/deployer', username: 'deploy:{{SessionName}}'}]"}}`
)

// lesson is a running coracle, and `coracle sts` beside it.
type lesson struct {
	binary, data string
	api          string
}

func start(t *testing.T) *lesson {
	t.Helper()
	binary, err := filepath.Abs("../../bin/coracle")
	if err != nil {
		t.Fatal(err)
	}
	l := &lesson{binary: binary, data: filepath.Join(t.TempDir(), "data")}
	file := filepath.Join(t.TempDir(), "users.yaml")
	if err := os.WriteFile(file, []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	l.run(t, "sts", "--users", file, "--data-dir", l.data, "--listen", "127.0.0.1:0", "--listen-sts", "127.0.0.1:0", "--cluster-id", cluster)
	conf := filepath.Join(l.data, "counterparts", "eks", "webhook.conf")
	l.wait(t, conf)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(free.Addr().String())
	free.Close()
	l.api = "https://127.0.0.1:" + port
	l.run(t, "up", "--data-dir", l.data, "--secure-port", port, "--authentication-token-webhook-config-file", conf)
	l.wait(t, filepath.Join(l.data, "kubeconfigs", "admin.conf"))
	l.eventuallyReady(t)
	return l
}

// run starts a command, which ends with the test.
func (l *lesson) run(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command(l.binary, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		if t.Failed() {
			t.Logf("coracle %s:\n%s", args[0], out.String())
		}
	})
}

func (l *lesson) wait(t *testing.T, file string) {
	t.Helper()
	l.eventually(t, file+" is there", func() bool {
		_, err := os.Stat(file)
		return err == nil
	})
}

func (l *lesson) eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); !is(); <-tick.C {
		if time.Since(begun) > patience {
			t.Fatalf("after %s it is not so that %s", patience, what)
		}
	}
}

func (l *lesson) eventuallyReady(t *testing.T) {
	l.eventually(t, "the server is ready", func() bool {
		code, _ := l.ask(t, "GET", "/readyz", "", "")
		return code == http.StatusOK
	})
}

func (l *lesson) url(t *testing.T, of string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(l.data, "counterparts", of, "url"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// ask sends a request with a token.
func (l *lesson) ask(t *testing.T, method, path, body, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, l.api+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	var out bytes.Buffer
	out.ReadFrom(response.Body)
	return response.StatusCode, out.String()
}

// real makes a token with the real generator.
func (l *lesson) real(t *testing.T, cluster, id, secret, session string) string {
	t.Helper()
	g, err := token.NewGenerator(false, false)
	if err != nil {
		t.Fatal(err)
	}
	client := sts.New(sts.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(l.url(t, "sts")), Credentials: credentials.NewStaticCredentialsProvider(id, secret, session),
	})
	made, err := g.GetWithSTS(cluster, client)
	if err != nil {
		t.Fatal(err)
	}
	return made.Token
}

// kubectl runs it as the administrator.
func (l *lesson) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command(cmp.Or(os.Getenv("KUBECTL"), "kubectl"), append([]string{"--kubeconfig", filepath.Join(l.data, "kubeconfigs", "admin.conf")}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %q: %v\n%s", args, err, out)
	}
	return string(out)
}

const review = `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`

func TestRealTokensAreTaken(t *testing.T) {
	l := start(t)
	l.kubectl(t, awsAuth, "apply", "-f", "-")
	for name, test := range map[string]struct {
		token string
		code  int
		says  string
	}{
		"a user's":          {l.real(t, cluster, "AKIAANN0000000000001", "anns-secret", ""), 201, `"username":"ann"`},
		"a role's":          {l.real(t, cluster, "ASIAANN0000000000001", "roles-secret", "roles-token"), 201, `"username":"deploy:ann"`},
		"another cluster's": {l.real(t, "lakes", "AKIAANN0000000000001", "anns-secret", ""), 401, "Unauthorized"},
		"a guesser's":       {l.real(t, cluster, "AKIAANN0000000000001", "guess", ""), 401, "Unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			code, body := l.ask(t, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review, test.token)
			if code != test.code || !strings.Contains(strings.ReplaceAll(body, " ", ""), test.says) {
				t.Errorf("%d %s, want %d and %s", code, body, test.code, test.says)
			}
		})
	}

	t.Run("by kubectl", func(t *testing.T) {
		cmd := exec.Command(cmp.Or(os.Getenv("KUBECTL"), "kubectl"), "--kubeconfig", os.DevNull, "--server", l.api, "--insecure-skip-tls-verify",
			"--token", l.real(t, cluster, "AKIAANN0000000000001", "anns-secret", ""), "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "ann" {
			t.Errorf("%s (%v), want ann", out, err)
		}
	})

	t.Run("ours by the real verifier, which asks our STS", func(t *testing.T) {
		const host = "sts.eu-west-1.amazonaws.com" // the verifier asks no other
		l.standIn(t, host)
		cmd := exec.Command(l.binary, "sts", "token", "--endpoint-url", "https://"+host, "--region", "eu-west-1", "--cluster-id", cluster)
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=ASIAANN0000000000001", "AWS_SECRET_ACCESS_KEY=roles-secret", "AWS_SESSION_TOKEN=roles-token")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var credential struct{ Status struct{ Token string } }
		if err := json.Unmarshal(out, &credential); err != nil {
			t.Fatal(err)
		}
		id, err := token.NewVerifier(cluster, "aws", "eu-west-1").Verify(credential.Status.Token)
		if err != nil {
			t.Fatal(err)
		}
		if id.CanonicalARN != "arn:aws:iam::111122223333:role/deployer" || id.SessionName != "ann" || id.AccessKeyID != "ASIAANN0000000000001" {
			t.Errorf("it is taken for %+v", id)
		}
		if _, err := token.NewVerifier("lakes", "aws", "eu-west-1").Verify(credential.Status.Token); err == nil || !strings.Contains(err.Error(), "SignatureDoesNotMatch") {
			t.Errorf("for another cluster: %v", err)
		}
	})
}

// standIn has our STS answer for a host of AWS, in this process.
func (l *lesson) standIn(t *testing.T, host string) {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join(l.data, "counterparts", "sts", "tls.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	ours := strings.TrimPrefix(l.url(t, "sts"), "https://")
	real := http.DefaultTransport
	http.DefaultTransport = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address != host+":443" {
				t.Errorf("%s is asked", address)
			}
			return (&net.Dialer{}).DialContext(ctx, network, ours)
		},
	}
	t.Cleanup(func() { http.DefaultTransport = real })
}
