package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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
	return text
}

func (s *server) send(ctx context.Context, r request) (answer, error) {
	var body io.Reader
	if r.body != "" {
		body = strings.NewReader(s.expand(r.body))
	}
	req, err := http.NewRequestWithContext(ctx, r.method, s.url+s.expand(r.path), body)
	if err != nil {
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
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, header: resp.Header}
	if !strings.Contains(resp.Header.Get("Content-Type"), "json") {
		a.body = string(b)
		if strings.Contains(resp.Header.Get("Content-Type"), "protobuf") {
			a.body = "protobuf"
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
			s.vars[save[0]] = find(documents[0], save[1])
		}
	}
	for i := range documents {
		documents[i] = normalise(documents[i])
	}
	if a.body = any(documents); len(documents) == 1 {
		a.body = documents[0]
	}
	return a, nil
}

// find follows a path such as metadata.uid.
func find(v any, path string) string {
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return fmt.Sprint(v)
}
