package endpoint

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const (
	lifetime = 365 * 24 * time.Hour
	// patience bounds how long requests under way may take when the counterpart is stopped.
	patience    = 2 * time.Second
	maxHeaders  = 64 << 10
	certFile    = "tls.crt"
	keyFile     = "tls.key"
	urlFile     = "url" // for scripts
	headTimeout = 10 * time.Second
)

// Endpoint is where a counterpart listens.
type Endpoint struct {
	URL string
	// CAFile is what clients are to trust, and CA its content.
	CAFile string
	CA     []byte

	listener net.Listener
}

// Open listens on the address, with the certificate in the directory, both of which are made when they are missing. Port 0
// lets the system choose.
func Open(dir, address string, now time.Time) (*Endpoint, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("--listen %q is no HOST:PORT: %w", address, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a directory for the certificate: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	pair, ca, err := load(root, host, now)
	if err != nil {
		if pair, ca, err = create(root, host, now); err != nil {
			return nil, fmt.Errorf("make a certificate in %s: %w", dir, err)
		}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another address with --listen", address, err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	url := "https://" + net.JoinHostPort(host, port)
	if err := root.WriteFile(urlFile, []byte(url+"\n"), 0o644); err != nil {
		listener.Close()
		return nil, err
	}
	return &Endpoint{
		URL: url, CAFile: filepath.Join(dir, certFile), CA: ca,
		listener: tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}),
	}, nil
}

// Serve answers until the context ends.
func (e *Endpoint) Serve(ctx context.Context, h http.Handler, errorLog *log.Logger) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: headTimeout, MaxHeaderBytes: maxHeaders, ErrorLog: errorLog}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if server.Shutdown(last) != nil {
			server.Close()
		}
	})
	err := server.Serve(e.listener)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// load reads the pair, if it is good for the host for some time to come.
func load(root *os.Root, host string, now time.Time) (tls.Certificate, []byte, error) {
	cert, certErr := root.ReadFile(certFile)
	key, keyErr := root.ReadFile(keyFile)
	if err := errors.Join(certErr, keyErr); err != nil {
		return tls.Certificate{}, nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	switch {
	case err != nil:
		return pair, nil, err
	case now.After(pair.Leaf.NotAfter.Add(-lifetime / 12)):
		return pair, nil, errors.New("it is over soon")
	default:
		return pair, cert, pair.Leaf.VerifyHostname(host)
	}
}

func create(root *os.Root, host string, now time.Time) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "coracle-counterpart"},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, // a leaf: its key signs no further certificates
		DNSNames:              []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = append(template.IPAddresses, ip)
	} else if host != "" {
		template.DNSNames = append(template.DNSNames, host)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	if err := root.Remove(keyFile); err != nil && !errors.Is(err, fs.ErrNotExist) { // its mode may have been another
		return tls.Certificate{}, nil, err
	}
	if err := errors.Join(root.WriteFile(keyFile, private, 0o600), root.WriteFile(certFile, ca, 0o644)); err != nil {
		return tls.Certificate{}, nil, err
	}
	pair, err := tls.X509KeyPair(ca, private)
	return pair, ca, err
}
