package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// startAll starts etcd, kube-apiserver and Coracle in a temporary directory. end stops them and removes it.
func startAll(ctx context.Context, o *options) (end func(), err error) {
	dir, err := os.MkdirTemp("", "oracle")
	if err != nil {
		return func() {}, err
	}
	var running []*exec.Cmd
	end = func() {
		for _, c := range running {
			c.Process.Signal(os.Interrupt)
			time.AfterFunc(5*time.Second, func() { c.Process.Kill() })
			c.Wait()
		}
		os.RemoveAll(dir)
	}
	start := func(name, path string, args ...string) error {
		log, err := os.Create(filepath.Join(dir, name+".log"))
		if err != nil {
			return err
		}
		defer log.Close()
		if path, err = filepath.Abs(path); err != nil {
			return err
		}
		c := exec.Command(path, args...)
		c.Dir, c.Stdout, c.Stderr = dir, log, log
		if err := c.Start(); err != nil {
			return err
		}
		running = append(running, c)
		return nil
	}
	token := rand.Text()
	o.real.token, o.ours.token = token, token
	tokens := filepath.Join(dir, "tokens.csv")
	if err := os.WriteFile(tokens, []byte(token+`,admin,admin,"system:masters"`+"\n"), 0o600); err != nil {
		return end, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return end, err
	}
	keyFile := filepath.Join(dir, "sa.key")
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(block), 0o600); err != nil {
		return end, err
	}
	ports, err := freePorts(4)
	if err != nil {
		return end, err
	}
	client, peer := "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1]
	o.real.url, o.ours.url = "https://127.0.0.1:"+ports[2], "https://127.0.0.1:"+ports[3]
	err = errors.Join(
		start("etcd", o.etcd, "--data-dir", "etcd", "--listen-client-urls", client, "--advertise-client-urls", client,
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer),
		start("kube-apiserver", o.apiserver, "--etcd-servers", client, "--secure-port", ports[2], "--bind-address", "127.0.0.1",
			"--cert-dir", "certs", "--service-account-key-file", keyFile, "--service-account-signing-key-file", keyFile,
			"--service-account-issuer", "https://kubernetes.default.svc.cluster.local", "--token-auth-file", tokens,
			"--authorization-mode", "Node,RBAC", "--service-cluster-ip-range", "10.96.0.0/16", "--allow-privileged"),
		start("coracle", o.coracle, "up", "--data-dir", filepath.Join(dir, "coracle"), "--secure-port", ports[3], "--nodes", "0", "--controllers=-*", "--era", "modern",
			"--token-auth-file", tokens),
	)
	if err != nil {
		return end, err
	}
	for _, s := range []server{o.real, o.ours} {
		if err := ready(ctx, s); err != nil {
			return end, err
		}
	}
	return end, nil
}

// ready waits until a server answers that it is.
func ready(ctx context.Context, s server) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // a test on loopback
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+s.token)
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after two minutes", s.url)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func freePorts(n int) ([]string, error) {
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}
