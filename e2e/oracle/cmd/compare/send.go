package main

import (
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// server is one of the two that are asked.
type server struct {
	url, token string
	client     *http.Client
	vars       map[string]string
}

// namespace is the same for both servers, so that what they answer is too.
var namespace = "oracle-" + strings.ToLower(rand.Text()[:6])

var files int

// begin forgets what was saved.
func (s *server) begin() {
	files++
	s.vars = map[string]string{"ns": fmt.Sprintf("%s-%d", namespace, (files-1)/2)}
	if s.client == nil {
		s.client = &http.Client{
			Timeout:       30 * time.Second,
			Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // a test on loopback
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
}

// answer is what a server answered, normalised.
type answer struct {
	status int
	header http.Header
	body   any // as JSON, a list of JSON documents of a stream, or a string
}

func (s *server) expand(text string) string {
	for k, v := range s.vars {
		text = strings.ReplaceAll(text, "{"+k+"}", v)
	}
	text = raw.ReplaceAllStringFunc(text, func(m string) string {
		b, err := hex.DecodeString(raw.FindStringSubmatch(m)[1])
		if err != nil {
			return m
		}
		return string(b)
	})
	return repeated.ReplaceAllStringFunc(text, func(m string) string {
		f := repeated.FindStringSubmatch(m)
		n, err := strconv.Atoi(f[1])
		if err != nil {
			return m
		}
		if f[2] == "" { // of a text that has braces itself, on a line of its own
			return strings.Repeat(f[3], n)
		}
		return strings.Repeat(f[2], n)
	})
}

var (
	raw      = regexp.MustCompile(`\{hex ([0-9a-f]+)\}`)
	repeated = regexp.MustCompile(`\{(\d+)\*(?:([^{}]+)\}|\|(.*?)\|\})`)
)

// parse reads a path as it is to be sent: what net/url refuses goes out as it stands.
func parse(at string) (*url.URL, error) {
	u, err := url.Parse(at)
	if err == nil && !strings.Contains(u.Path, "//") {
		return u, nil
	}
	scheme, rest, _ := strings.Cut(at, "://")
	host, path, _ := strings.Cut(rest, "/")
	path, query, _ := strings.Cut(path, "?")
	return &url.URL{Scheme: scheme, Host: host, Opaque: "//" + host + "/" + path, RawQuery: query}, nil
}

// send sends a request, again and again for some seconds where the answer is to say something first.
func (s *server) send(ctx context.Context, r request) (answer, error) {
	path, text, wait := strings.Cut(r.until, "=")
	for deadline := time.Now().Add(patience); ; time.Sleep(pause) {
		a, err := s.once(ctx, r)
		if err != nil || !wait || strings.Contains(find(a.body, path), text) || time.Now().After(deadline) {
			return a, err
		}
	}
}

const (
	patience = 10 * time.Second
	pause    = 50 * time.Millisecond
)

func (s *server) once(ctx context.Context, r request) (answer, error) {
	var body io.Reader
	if r.body != "" {
		body = strings.NewReader(s.expand(r.body))
	}
	req, err := http.NewRequestWithContext(ctx, r.method, s.url, body)
	if err != nil {
		return answer{}, err
	}
	if req.URL, err = parse(s.url + s.expand(r.path)); err != nil {
		return answer{}, err
	}
	req.Header.Set("User-Agent", "compare/1")
	req.Header.Set("Authorization", "Bearer "+s.token)
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range r.headers {
		req.Header.Set(h[0], s.expand(h[1]))
		if h[1] == "" {
			req.Header[http.CanonicalHeaderKey(h[0])] = nil
		}
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{body: normalise("no answer: " + strings.ReplaceAll(err.Error(), s.url, ""))}, ctx.Err()
	}
	defer resp.Body.Close()
	b, err := content(resp)
	if err != nil {
		return answer{status: resp.StatusCode, header: resp.Header, body: "broken: " + err.Error()}, ctx.Err()
	}
	a := answer{status: resp.StatusCode, header: resp.Header}
	for _, save := range r.save {
		if name, ok := strings.CutPrefix(save[1], "header."); ok {
			s.vars[save[0]] = resp.Header.Get(name)
		}
	}
	if !strings.Contains(resp.Header.Get("Content-Type"), "json") {
		a.body = string(b)
		if strings.Contains(resp.Header.Get("Content-Type"), "protobuf") {
			a.body = "protobuf"
		}
		if strings.Contains(resp.Header.Get("Content-Type"), "openapi.spec.v3") { // which has nothing that may differ
			a.body = fmt.Sprintf("protobuf, %x", sha256.Sum256(b))
		}
		a.body = normalise(a.body)
		return a, nil
	}
	var documents []any
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.UseNumber()
	for {
		var doc any
		if err := dec.Decode(&doc); err != nil {
			break
		}
		documents = append(documents, doc)
	}
	if len(documents) > 0 {
		for _, save := range r.save {
			if !strings.HasPrefix(save[1], "header.") {
				s.vars[save[0]] = find(documents[0], save[1])
			}
		}
	}
	for i := range documents {
		documents[i] = normalise(documents[i])
	}
	// How often a watch tells that nothing has happened is chance.
	documents = slices.CompactFunc(documents, func(a, b any) bool {
		event, ok := b.(map[string]any)
		return ok && event["type"] == "BOOKMARK" && reflect.DeepEqual(a, b)
	})
	if a.body = any(documents); len(documents) == 1 {
		a.body = documents[0]
	}
	return a, nil
}

// content reads a body, and unpacks it where the request has asked for gzip itself.
func content(resp *http.Response) ([]byte, error) {
	if resp.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(resp.Body)
	}
	z, err := gzip.NewReader(resp.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// find follows a path such as metadata.uid.
func find(v any, path string) string {
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return fmt.Sprint(v)
}
