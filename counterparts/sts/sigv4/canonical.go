package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	timeFormat = "20060102T150405Z"
	dayFormat  = "20060102"
)

// Credentials are an access key. Temporary ones have a session token too.
type Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// Scope is what a signature is good for. Day is in the form 20060102.
type Scope struct{ Day, Region, Service string }

func (s Scope) String() string {
	return strings.Join([]string{s.Day, s.Region, s.Service, terminator}, "/")
}

// canonical is the text of a request that is signed; ok is false when a header that should be signed is not there.
func canonical(r *http.Request, query url.Values, headers []string, bodyHash string) (text string, ok bool) {
	var b strings.Builder
	b.WriteString(r.Method + "\n/\n" + canonicalQuery(query) + "\n")
	for _, name := range headers {
		value, ok := headerOf(r, name)
		if !ok {
			return "", false
		}
		b.WriteString(name + ":" + value + "\n")
	}
	b.WriteString("\n" + strings.Join(headers, ";") + "\n" + bodyHash)
	return b.String(), true
}

// canonicalQuery is sorted by name and then by value, whatever the order was, and escaped in one way, whatever that was.
func canonicalQuery(query url.Values) string {
	byName := make(map[string][]string, len(query))
	for name, values := range query {
		byName[escape(name)] = values
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		var escaped []string
		for _, v := range byName[name] {
			escaped = append(escaped, escape(v))
		}
		slices.Sort(escaped)
		for _, v := range escaped {
			pairs = append(pairs, name+"="+v)
		}
	}
	return strings.Join(pairs, "&")
}

// escape is RFC 3986's, which differs from that of forms in the blank.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// headerOf finds a header, also where net/http has put some of them elsewhere.
func headerOf(r *http.Request, name string) (string, bool) {
	switch name {
	case "host":
		return r.Host, r.Host != ""
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10), r.ContentLength >= 0
	}
	var values []string
	for _, v := range r.Header.Values(name) {
		values = append(values, strings.Join(strings.Fields(v), " "))
	}
	return strings.Join(values, ","), len(values) > 0
}

// signature is that of the text, in hexadecimal digits.
func signature(secret string, scope Scope, date time.Time, text string) string {
	key := []byte("AWS4" + secret)
	for _, part := range []string{scope.Day, scope.Region, scope.Service, terminator} {
		key = mac(key, part)
	}
	toSign := strings.Join([]string{algorithm, date.UTC().Format(timeFormat), scope.String(), hash([]byte(text))}, "\n")
	return hex.EncodeToString(mac(key, toSign))
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
