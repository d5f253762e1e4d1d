package eks

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"coracle/counterparts/sts/sigv4"
)

const (
	prefix        = "k8s-aws-v1."
	maxToken      = 4 << 10 // bytes
	clusterHeader = "x-k8s-aws-id"
	lifetime      = 15 * time.Minute
	margin        = time.Minute // by which clients are told that a token ends early
	expires       = time.Minute // of the signature; STS does not look at it
	dateFormat    = "20060102T150405Z"
)

// NewToken makes a token for a cluster, as `aws eks get-token` does: a signed question to the STS of that URL. It says until
// when the token should be used.
func NewToken(sts *url.URL, cluster string, c sigv4.Credentials, region string, now time.Time) (token string, ends time.Time) {
	to := *sts
	to.RawQuery = url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}}.Encode()
	signed := sigv4.Presign(&to, map[string]string{clusterHeader: cluster}, c, region, "sts", expires, now)
	return prefix + base64.RawURLEncoding.EncodeToString([]byte(signed.String())), now.Add(lifetime - margin)
}

// question is what a token holds: the parameters of a request to STS.
type question struct {
	parameters url.Values
	keyID      string
}

// isOurs tells whether a token looks like one of EKS at all.
func isOurs(token string) bool { return strings.HasPrefix(token, prefix) }

// read takes a token apart, and refuses whatever is not that one question to the STS of that host. Errors do not repeat the token.
func read(token, host string, now time.Time) (*question, error) {
	q, err := parse(token, host, now)
	if err != nil {
		return nil, fmt.Errorf("input token was not properly formatted: %w", err)
	}
	return q, nil
}

func parse(token, host string, now time.Time) (*question, error) {
	if len(token) > maxToken {
		return nil, errors.New("token is too large")
	}
	encoded, ok := strings.CutPrefix(token, prefix)
	if !ok {
		return nil, fmt.Errorf("token is missing expected %q prefix", prefix)
	}
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(string(text))
	switch {
	case err != nil:
		return nil, errors.New("it holds no URL")
	case u.Scheme != "https":
		return nil, fmt.Errorf("unexpected scheme %.20q in pre-signed URL", u.Scheme)
	case u.Host != host || u.User != nil:
		return nil, fmt.Errorf("unexpected hostname %.100q in pre-signed URL", u.Host)
	case u.Path != "/" || u.Opaque != "" || u.Fragment != "":
		return nil, errors.New("unexpected path in pre-signed URL")
	}
	parameters, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("malformed query parameter")
	}
	q := &question{parameters: parameters}
	q.keyID, _, _ = strings.Cut(parameters.Get(sigv4.Credential), "/")
	return q, q.check(now)
}

// check lets nothing through but the parameters of that question, each once.
func (q *question) check(now time.Time) error {
	allowed := []string{
		"Action", "Version", sigv4.Algorithm, sigv4.Credential, sigv4.Date, sigv4.Expires, sigv4.SecurityToken, sigv4.SignedHeaders, sigv4.Signature,
	}
	for name, values := range q.parameters {
		if !slices.Contains(allowed, name) {
			return fmt.Errorf("non-whitelisted query parameter %.40q", name)
		}
		if len(values) != 1 {
			return errors.New("query parameter with multiple values not supported")
		}
	}
	if q.parameters.Get("Action") != "GetCallerIdentity" {
		return errors.New("unexpected action parameter in pre-signed URL")
	}
	signed := strings.Split(q.parameters.Get(sigv4.SignedHeaders), ";")
	for _, name := range []string{clusterHeader, "host"} {
		if !slices.Contains(signed, name) {
			return fmt.Errorf("client did not sign the %s header in the pre-signed URL", name)
		}
	}
	if n, err := strconv.Atoi(q.parameters.Get(sigv4.Expires)); err != nil || n < 0 || n > int(lifetime/time.Second) {
		return errors.New("invalid X-Amz-Expires parameter in pre-signed URL")
	}
	date, err := time.Parse(dateFormat, q.parameters.Get(sigv4.Date))
	if err != nil {
		return fmt.Errorf("error parsing X-Amz-Date parameter into format %s", dateFormat)
	}
	if now.After(date.Add(lifetime)) {
		return fmt.Errorf("X-Amz-Date parameter is expired (%.f minute expiration) %s", lifetime.Minutes(), date)
	}
	return nil
}
