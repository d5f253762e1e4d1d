package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// host is a node with one pod.
type host struct {
	pod  corev1.Pod
	seen chan string // who attached came, and left
}

func (h host) Pods() []corev1.Pod { return []corev1.Pod{h.pod} }
func (h host) Pod(namespace, name string) *corev1.Pod {
	if namespace != h.pod.Namespace || name != h.pod.Name {
		return nil
	}
	return &h.pod
}
func (h host) Running(_ *corev1.Pod, container string) bool { return container == "web" }
func (h host) Logs(_ context.Context, _ *corev1.Pod, container string, _ *corev1.PodLogOptions, stdout, stderr io.Writer) error {
	if container == "waiting" {
		return errors.New("it is waiting to start")
	}
	fmt.Fprintln(stdout, "out")
	fmt.Fprintln(stderr, "err")
	return nil
}
func (h host) Exec(_ context.Context, _ *corev1.Pod, _ string, command []string, s Streams) (int, error) {
	fmt.Fprintln(s.Stdout, command)
	return 3, nil
}
func (h host) Attach(ctx context.Context, _ *corev1.Pod, _ string, _ Streams) error {
	h.seen <- "came"
	<-ctx.Done()
	h.seen <- "left"
	return nil
}
func (h host) Dial(_ context.Context, _ *corev1.Pod, port int32) (net.Conn, error) {
	if port != 80 {
		return nil, errors.New("connection refused")
	}
	a, b := net.Pipe()
	go func() {
		io.CopyN(b, b, 2) // an echo
		b.Close()
	}()
	return a, nil
}

// ca signs for clients and servers.
type ca struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T) *ca {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &ca{cert, key}
}

func (c *ca) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.cert)
	return pool
}

func (c *ca) issue(t *testing.T, name string, usage x509.ExtKeyUsage, until time.Duration) tls.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(until),
		ExtKeyUsage: []x509.ExtKeyUsage{usage}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, c.cert, c.key.Public(), c.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: c.key}
}

// serve starts a node's API. Its API server knows the token "good" as bob's, and lets apiserver do all, bob look at pods.
func serve(t *testing.T, authority *ca) (address string, seen chan string) {
	t.Helper()
	client := fake.NewClientset()
	client.PrependReactor("create", "tokenreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
		review := a.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview)
		review.Status.Authenticated = review.Spec.Token == "good"
		review.Status.User.Username = "bob"
		return true, review, nil
	})
	client.PrependReactor("create", "subjectaccessreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
		review := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview)
		on := review.Spec.ResourceAttributes
		review.Status.Allowed = on.Resource == "nodes" && on.Name == "n1" &&
			(review.Spec.User == "apiserver" || review.Spec.User == "bob" && on.Verb == "get" && on.Subresource == "pods")
		return true, review, nil
	})
	seen = make(chan string, 2)
	serving := authority.issue(t, "system:node:n1", x509.ExtKeyUsageServerAuth, time.Hour)
	s := New(Config{
		Node: "n1", Client: client, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Certificate: func() (*tls.Certificate, error) { return &serving, nil }, ClientCAs: authority.pool,
		Host: host{seen: seen, pod: corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p", UID: "u"},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web"}, {Name: "waiting"}}},
		}},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String(), seen
}

func ask(t *testing.T, roots *x509.CertPool, cert *tls.Certificate, method, url string, header ...string) (int, string) {
	t.Helper()
	config := &tls.Config{RootCAs: roots}
	if cert != nil {
		config.Certificates = []tls.Certificate{*cert}
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestServer_WhoMayAsk(t *testing.T) {
	authority, other := newCA(t), newCA(t)
	address, _ := serve(t, authority)
	client := x509.ExtKeyUsageClientAuth
	good := authority.issue(t, "apiserver", client, time.Hour)
	for name, test := range map[string]struct {
		cert  *tls.Certificate
		token string
		path  string
		code  int
		says  string
	}{
		"the API server":                       {&good, "", "/exec/a/p/web", 400, "at least 1 command"},
		"nobody":                               {nil, "", "/pods", 401, "Unauthorized"},
		"an authority with the same name":      {new(other.issue(t, "apiserver", client, time.Hour)), "", "/pods", 401, "Unauthorized"},
		"a certificate that is over":           {new(authority.issue(t, "apiserver", client, -time.Minute)), "", "/pods", 401, "Unauthorized"},
		"a server's certificate":               {new(authority.issue(t, "apiserver", x509.ExtKeyUsageServerAuth, time.Hour)), "", "/pods", 401, "Unauthorized"},
		"a certificate without a name":         {new(authority.issue(t, "", client, time.Hour)), "", "/pods", 401, "Unauthorized"},
		"another node":                         {new(authority.issue(t, "system:node:n2", client, time.Hour)), "", "/exec/a/p/web", 403, "Forbidden (user=system:node:n2, verb=get, resource=nodes, subresource(s)=[proxy])"},
		"a token, for what it may":             {nil, "good", "/pods", 200, `"name":"p"`},
		"a token, for what it may not":         {nil, "good", "/containerLogs/a/p/web", 403, "Forbidden (user=bob, verb=get, resource=nodes, subresource(s)=[proxy])"},
		"a token, for a path that looks alike": {nil, "good", "/pods/../exec/a/p/web", 403, "Forbidden"},
		"a token that nobody knows":            {nil, "bad", "/pods", 401, "Unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			var header []string
			if test.token != "" {
				header = []string{"Authorization", "Bearer " + test.token}
			}
			code, body := ask(t, authority.pool(), test.cert, "GET", "https://"+address+test.path, header...)
			if code != test.code || !strings.Contains(body, test.says) {
				t.Errorf("%d %s, want %d %q", code, body, test.code, test.says)
			}
		})
	}
}

func TestServer_Answers(t *testing.T) {
	authority := newCA(t)
	address, _ := serve(t, authority)
	cert := authority.issue(t, "apiserver", x509.ExtKeyUsageClientAuth, time.Hour)
	for request, want := range map[string]struct {
		code int
		says string
	}{
		"GET /healthz":                              {200, "ok"},
		"GET /runningpods/":                         {200, `"items":[]`},
		"GET /containerLogs/a/p/web":                {200, "out\nerr\n"},
		"GET /containerLogs/a/p/web?stream=Stderr":  {200, "err\n"},
		"GET /containerLogs/a/p/web?tailLines=x":    {400, "Unable to decode query"},
		"GET /containerLogs/a/p/web?tailLines=-1":   {422, "Invalid request"},
		"GET /containerLogs/a/p/none":               {404, `container "none" not found in pod "p"`},
		"GET /containerLogs/a/p/waiting":            {400, "it is waiting to start"},
		"GET /containerLogs/b/p/web":                {404, `pod "p" does not exist`},
		"GET /containerLogs/a/..%2f..%2fetc/web":    {404, "does not exist"},
		"POST /exec/a/p/other-uid/web?command=a":    {404, `pod "p" does not exist`},
		"POST /exec/a/p/web?command=a":              {400, "you must specify at least 1 of stdin, stdout, stderr"},
		"POST /exec/a/p/waiting?command=a&output=1": {500, `container not found ("waiting")`},
		"POST /exec/a/p/u/web?command=a&output=1":   {400, "unable to upgrade"},
		"POST /run/a/p/web?cmd=a&cmd=b":             {200, "[a b]\ncommand terminated with exit code 3\n"},
		"POST /dial/a/p/80":                         {400, "upgrade to tcp"},
		"POST /portForward/a/p":                     {400, "unable to upgrade"},
		"GET /nothing":                              {404, "not found"},
	} {
		t.Run(request, func(t *testing.T) {
			method, path, _ := strings.Cut(request, " ")
			code, body := ask(t, authority.pool(), &cert, method, "https://"+address+path)
			if code != want.code || !strings.Contains(body, want.says) {
				t.Errorf("%d %s, want %d %q", code, body, want.code, want.says)
			}
		})
	}
}

// A connection that was handed over ends with the node.
func TestServer_Dial(t *testing.T) {
	authority := newCA(t)
	address, _ := serve(t, authority)
	cert := authority.issue(t, "apiserver", x509.ExtKeyUsageClientAuth, time.Hour)
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: authority.pool(), Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /dial/a/p/80 HTTP/1.1\r\nHost: n1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nhi")
	got, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 101 ") || !strings.HasSuffix(string(got), "\r\n\r\nhi") {
		t.Errorf("%q, %v", got, err)
	}
}

// Who hangs up leaves nothing running.
func TestServer_HangingUp(t *testing.T) {
	authority := newCA(t)
	cert := authority.issue(t, "apiserver", x509.ExtKeyUsageClientAuth, time.Hour)
	config := &tls.Config{RootCAs: authority.pool(), Certificates: []tls.Certificate{cert}}
	t.Run("a WebSocket", func(t *testing.T) {
		address, seen := serve(t, authority)
		dial, err := websocket.NewConfig("wss://"+address+"/attach/a/p/web?output=1", "https://"+address)
		if err != nil {
			t.Fatal(err)
		}
		dial.Protocol, dial.TlsConfig = []string{"v5.channel.k8s.io"}, config
		conn, err := websocket.DialConfig(dial)
		if err != nil {
			t.Fatal(err)
		}
		<-seen
		conn.Close()
		<-seen
	})
	t.Run("a connection that is lost", func(t *testing.T) {
		address, seen := serve(t, authority)
		conn, err := tls.Dial("tcp", address, config)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /attach/a/p/web?output=1 HTTP/1.1\r\nHost: n1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nOrigin: https://n1\r\n\r\n")
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		<-seen
		conn.NetConn().Close()
		<-seen
	})
}
