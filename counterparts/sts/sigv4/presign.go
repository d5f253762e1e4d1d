package sigv4

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The parameters of a presigned request's query.
const (
	Algorithm     = "X-Amz-Algorithm"
	Credential    = "X-Amz-Credential"
	Date          = "X-Amz-Date"
	Expires       = "X-Amz-Expires"
	SecurityToken = "X-Amz-Security-Token"
	SignedHeaders = "X-Amz-SignedHeaders"
	Signature     = "X-Amz-Signature"
)

// Presign returns the URL of a GET with a signature in its query: whoever has it may make that one request, with those
// headers, in the name of whose credentials they are. Of the scope the day is today's.
func Presign(to *url.URL, headers map[string]string, c Credentials, region, service string, expires time.Duration, now time.Time) *url.URL {
	now = now.UTC()
	scope := Scope{now.Format(dayFormat), region, service}
	r := &http.Request{Method: http.MethodGet, Host: to.Host, Header: http.Header{}}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	names := []string{"host"}
	for name := range maps.Keys(r.Header) {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	query := to.Query()
	query.Set(Algorithm, algorithm)
	query.Set(Credential, c.AccessKeyID+"/"+scope.String())
	query.Set(Date, now.Format(timeFormat))
	query.Set(Expires, strconv.Itoa(int(expires/time.Second)))
	query.Set(SignedHeaders, strings.Join(names, ";"))
	if c.SessionToken != "" {
		query.Set(SecurityToken, c.SessionToken)
	}
	text, _ := canonical(r, query, names, hash(nil)) // each header is there
	query.Set(Signature, signature(c.SecretAccessKey, scope, now, text))
	signed := *to
	signed.Path = "/"
	signed.RawQuery = canonicalQuery(query)
	return &signed
}
