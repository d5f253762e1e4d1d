package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// curl is the part of curl that the scripts need, so that none need be installed. It prints the status code on a line
// of its own, and then the body. Unlike curl it fails only when there is no answer.
func curl() {
	if err := request(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "curl:", err)
		os.Exit(1)
	}
}

type headers struct{ http.Header }

func (h headers) String() string { return "" }
func (h headers) Set(s string) error {
	name, value, ok := strings.Cut(s, ":")
	if !ok {
		return errors.New("a header is NAME: VALUE")
	}
	h.Add(name, strings.TrimSpace(value))
	return nil
}

func request(args []string, out io.Writer) error {
	f := flag.NewFlagSet("curl", flag.ContinueOnError)
	cacert := f.String("cacert", "", "file of trusted authorities")
	insecure := f.Bool("k", false, "trust any server")
	method := f.String("X", "GET", "method")
	body := f.String("d", "", "body")
	old := f.Bool("tls-max-1.1", false, "speak no TLS newer than 1.1")
	name := f.String("server-name", "", "expect the server's certificate to be for this name")
	cert := f.String("cert", "", "client certificate, less .crt and .key")
	h := headers{http.Header{}}
	f.Var(h, "H", "header")
	if err := f.Parse(args); err != nil {
		return err
	}
	config := &tls.Config{InsecureSkipVerify: *insecure, ServerName: *name}
	if *old {
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	}
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert+".crt", *cert+".key")
		if err != nil {
			return err
		}
		// Whatever authorities the server names: curl presents it too.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	if *cacert != "" {
		data, err := os.ReadFile(*cacert)
		if err != nil {
			return err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(data) {
			return fmt.Errorf("%s holds no certificate", *cacert)
		}
	}
	r, err := http.NewRequest(*method, f.Arg(0), bytes.NewBufferString(*body))
	if err != nil {
		return err
	}
	r.Header = h.Header
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}, Timeout: patience}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	fmt.Fprintln(out, answer.StatusCode)
	_, err = io.Copy(out, answer.Body)
	return err
}
