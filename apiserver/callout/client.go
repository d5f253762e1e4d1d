package callout

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"
)

const (
	// MaxAnswer bounds an answer, in bytes: an object of 3 MiB in base64, twice.
	MaxAnswer = 8 << 20

	maxHeaders   = 64 << 10
	maxComplaint = 2048 // of an answer that is no success, as in k8s.io/client-go/rest
	dialPatience = 30 * time.Second
	tlsPatience  = 10 * time.Second
	idlePatience = time.Minute
	idlePerHost  = 25 // as in client-go
)

// Service is a port of a service, and a path there.
type Service struct {
	Namespace, Name, Path string
	Port                  int32 // 0 for 443
}

// Target says where a webhook is: at URL, or else behind Service.
type Target struct {
	URL     string
	Service *Service
	// CABundle are the authorities, in PEM, that its certificate may be from; empty for those of the system.
	CABundle []byte
}

// DialService connects to a port of a service.
// Errors: a sentence that says what there is not.
type DialService func(ctx context.Context, namespace, name string, port int32) (net.Conn, error)

// Client asks one webhook. Its methods may be called from many goroutines.
type Client struct {
	url    url.URL
	http   *http.Client
	broken error // why nobody can be asked
}

// New returns a client. By now the certificates of those who are asked are judged. Of a target that makes no sense it says so when it is asked to ask.
func New(t Target, dial DialService, now func() time.Time) *Client {
	transport := &http.Transport{
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, Time: now},
		DialContext:            (&net.Dialer{Timeout: dialPatience}).DialContext,
		TLSHandshakeTimeout:    tlsPatience,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idlePatience,
		MaxResponseHeaderBytes: maxHeaders,
	}
	c := &Client{http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if c.broken = c.locate(t, transport, dial); c.broken != nil {
		return c
	}
	if ca := bytes.TrimSpace(t.CABundle); len(ca) > 0 {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(ca) {
			c.broken = errors.New("unable to load root certificates: unable to parse bytes as PEM block")
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return c
}

func (c *Client) locate(t Target, transport *http.Transport, dial DialService) error {
	if t.Service == nil {
		u, err := url.Parse(t.URL)
		switch {
		case t.URL == "":
			return errors.New("webhook configuration must have either service or URL")
		case err != nil:
			return fmt.Errorf("unparsable URL: %w", err)
		case u.Scheme != "https":
			return errors.New("a webhook is asked by https alone")
		}
		c.url = url.URL{Scheme: u.Scheme, Host: u.Host, Path: path.Join("/", u.Path)}
		return nil
	}
	s := *t.Service
	if s.Port == 0 {
		s.Port = 443
	}
	server := s.Name + "." + s.Namespace + ".svc"
	c.url = url.URL{Scheme: "https", Host: net.JoinHostPort(server, strconv.Itoa(int(s.Port))), Path: path.Join("/", s.Path)}
	transport.TLSClientConfig.ServerName = server
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialPatience)
		defer cancel()
		return dial(ctx, s.Namespace, s.Name, s.Port)
	}
	return nil
}

// Post sends a question in JSON and returns the answer. It tells the asked how long it waits: until ctx ends.
// Errors: the answer's own Status, or a sentence that begins with `Post "https://...`.
func (c *Client) Post(ctx context.Context, question []byte) ([]byte, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	to := c.url
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		to.RawQuery = "timeout=" + (left + time.Second - 1).Truncate(time.Second).String()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, */*")
	request.Header.Set("User-Agent", "kube-apiserver-admission")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswer+1))
	if err == nil {
		err = ctx.Err() // what ends because nobody waits for it any longer is not all
	}
	failed := func(why error) error { return &url.Error{Op: "Post", URL: to.String(), Err: why} }
	switch {
	case err != nil:
		return nil, fmt.Errorf("unexpected error when reading response body. Please retry. Original error: %w", err)
	case len(body) > MaxAnswer:
		return nil, failed(fmt.Errorf("the answer is larger than %d bytes", MaxAnswer))
	case response.StatusCode >= 300 && response.StatusCode < 400:
		return nil, failed(errors.New("the webhook redirects, which is not followed"))
	case response.StatusCode < http.StatusOK || response.StatusCode > http.StatusPartialContent:
		return nil, complaint(response, body)
	case len(body) == 0:
		return nil, fmt.Errorf("0-length response with status code: %d and content type: %s",
			response.StatusCode, cmp.Or(response.Header.Get("Content-Type"), "application/json"))
	}
	return body, nil
}

// complaint is an answer that is no success, as an error.
// Source: k8s.io/client-go/rest.Request.transformResponse.
func complaint(response *http.Response, body []byte) error {
	contentType := response.Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(contentType)
	text := contentType == "" || err == nil && strings.HasPrefix(media, "text/")
	if status := (metav1.Status{}); !text && kjson.UnmarshalCaseSensitivePreserveInts(body, &status) == nil &&
		status.Kind == "Status" && status.APIVersion == "v1" && status.Status != metav1.StatusSuccess {
		return apierrors.FromObject(&status)
	}
	message := "unknown"
	if text {
		message = strings.TrimSpace(string(body[:min(len(body), maxComplaint)]))
	}
	wait, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil {
		wait = 0
	}
	return apierrors.NewGenericServerResponse(response.StatusCode, http.MethodPost, schema.GroupResource{}, "", message, wait, true)
}
