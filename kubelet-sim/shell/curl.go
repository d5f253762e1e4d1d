package shell

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	maxBody  = 8 << 20 // bytes
	patience = 60 * time.Second
)

// asked is a curl command line.
type asked struct {
	url, method, body, caFile, out string
	headers                        []string
	insecure, include, fail        bool
	verbose, head, silent          bool
}

// curl asks the API server, the one host that there is.
func curl(ctx context.Context, p *process, args []string, s Streams) int {
	a, err := readCurl(args)
	if err != nil {
		fmt.Fprintln(s.Err, "curl:", err)
		return 2
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: a.insecure, Time: p.Now}
	if a.caFile != "" {
		data, err := p.Files.Read(p.path(a.caFile))
		config.RootCAs = x509.NewCertPool()
		if err != nil || !config.RootCAs.AppendCertsFromPEM(data) {
			fmt.Fprintf(s.Err, "curl: (77) error setting certificate verify locations:  CAfile: %s\n", a.caFile)
			return 77
		}
	} else if !a.insecure {
		config.RootCAs = x509.NewCertPool() // a container's image may trust somebody; none trusts the cluster
	}
	request, err := a.request(ctx, p)
	if err != nil {
		fmt.Fprintln(s.Err, "curl: (3)", err)
		return 3
	}
	if host := request.URL.Hostname(); !p.isServer(host) {
		fmt.Fprintf(s.Err, "curl: (6) Could not resolve host: %s (of a simulated network there is only the API server: kubernetes.default.svc)\n", host)
		return 6
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: config, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return p.Dial(ctx) }, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request.WithContext(ctx))
	if err != nil {
		return a.failed(s, err)
	}
	defer answer.Body.Close()
	return a.print(p, s, answer)
}

func (a *asked) failed(s Streams, err error) int {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && strings.Contains(invalid.Detail, " is before "):
		fmt.Fprintln(s.Err, "curl: (60) SSL certificate problem: certificate is not yet valid")
		return 60
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		fmt.Fprintln(s.Err, "curl: (60) SSL certificate problem: certificate has expired")
		return 60
	case errors.As(err, &unknown):
		fmt.Fprintln(s.Err, "curl: (60) SSL certificate problem: unable to get local issuer certificate (--cacert /var/run/secrets/kubernetes.io/serviceaccount/ca.crt)")
		return 60
	case errors.As(err, &name):
		fmt.Fprintf(s.Err, "curl: (60) SSL: no alternative certificate subject name matches target host name: %v\n", name)
		return 60
	}
	fmt.Fprintf(s.Err, "curl: (7) Failed to connect: %v\n", err)
	return 7
}

func (a *asked) print(p *process, s Streams, answer *http.Response) int {
	if a.include || a.head || a.verbose {
		out := s.Out
		if a.verbose && !a.include {
			out = s.Err
		}
		fmt.Fprintf(out, "%s %s\r\n", answer.Proto, answer.Status)
		answer.Header.Write(out)
		fmt.Fprint(out, "\r\n")
	}
	if a.fail && answer.StatusCode >= 400 {
		fmt.Fprintf(s.Err, "curl: (22) The requested URL returned error: %d\n", answer.StatusCode)
		return 22
	}
	if a.out != "" {
		data, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
		if err == nil && a.out != "/dev/null" {
			err = p.Files.Write(p.path(a.out), data, false)
		}
		if err != nil {
			fmt.Fprintf(s.Err, "curl: (23) %v\n", err)
			return 23
		}
		return 0
	}
	if _, err := io.Copy(s.Out, io.LimitReader(answer.Body, maxBody)); err != nil {
		fmt.Fprintf(s.Err, "curl: (18) %v\n", err)
		return 18
	}
	return 0
}

// isServer tells whether a name is the API server's, in the cluster.
func (p *process) isServer(host string) bool {
	return host == p.env["KUBERNETES_SERVICE_HOST"] || slices.Contains([]string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
	}, host)
}

func (a *asked) request(ctx context.Context, p *process) (*http.Request, error) {
	u, err := url.Parse(a.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("URL using bad/illegal format or missing URL: %s", a.url)
	}
	body := a.body
	if name, ok := strings.CutPrefix(body, "@"); ok {
		data, err := p.Files.Read(p.path(name))
		if err != nil {
			return nil, err
		}
		body = string(data)
	}
	request, err := http.NewRequestWithContext(ctx, a.method, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "curl/8.14.1")
	request.Header.Set("Accept", "*/*")
	if a.body != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range a.headers {
		name, value, _ := strings.Cut(h, ":")
		request.Header.Set(name, strings.TrimSpace(value))
	}
	return request, nil
}

// readCurl reads the options of curl that go with an API.
func readCurl(args []string) (*asked, error) {
	a := &asked{}
	switches := map[string]*bool{
		"-k": &a.insecure, "--insecure": &a.insecure, "-i": &a.include, "--include": &a.include, "-f": &a.fail, "--fail": &a.fail,
		"-v": &a.verbose, "--verbose": &a.verbose, "-I": &a.head, "--head": &a.head, "-s": &a.silent, "--silent": &a.silent, "-S": &a.silent, "--show-error": &a.silent,
	}
	texts := map[string]*string{
		"-X": &a.method, "--request": &a.method, "-d": &a.body, "--data": &a.body, "--data-raw": &a.body, "--data-binary": &a.body,
		"--cacert": &a.caFile, "-o": &a.out, "--output": &a.out, "--url": &a.url,
	}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		value := ""
		_, wants := texts[arg]
		if wants = wants || arg == "-H" || arg == "--header"; wants {
			if i++; i == len(args) {
				return nil, fmt.Errorf("option %s: requires parameter", arg)
			}
			value = args[i]
		}
		switch {
		case arg == "-H" || arg == "--header":
			a.headers = append(a.headers, value)
		case wants:
			*texts[arg] = value
		case switches[arg] != nil:
			*switches[arg] = true
		case len(arg) > 2 && arg[0] == '-' && arg[1] != '-': // several letters in one
			for _, letter := range arg[1:] {
				set := switches["-"+string(letter)]
				if set == nil {
					return nil, fmt.Errorf("option %s: is unknown", arg)
				}
				*set = true
			}
		case strings.HasPrefix(arg, "-"):
			return nil, fmt.Errorf("option %s: is unknown", arg)
		default:
			a.url = arg
		}
	}
	if !strings.Contains(a.url, "://") {
		a.url = "http://" + a.url
	}
	switch {
	case a.method != "":
	case a.head:
		a.method = http.MethodHead
	case a.body != "":
		a.method = http.MethodPost
	default:
		a.method = http.MethodGet
	}
	return a, nil
}
