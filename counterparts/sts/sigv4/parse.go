package sigv4

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ErrUnsigned is returned for a request without a signature. The sentence is AWS'.
var ErrUnsigned = errors.New("Request is missing Authentication Token")

// Signed is what a request says of its signature. Nothing of it is proved before By says so.
type Signed struct {
	AccessKeyID  string
	SessionToken string
	Scope        Scope
	Date         time.Time
	Headers      []string // lower case, in order; host is one of them

	query     url.Values // without the signature
	signature string
}

// Parse reads the signature of a request, from its query (a presigned one) or its Authorization header. Errors do not repeat
// what the request says.
func Parse(r *http.Request) (*Signed, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, errors.New("the query is malformed")
	}
	authorization := r.Header.Values("Authorization")
	_, presigned := query[Algorithm]
	switch {
	case presigned && len(authorization) > 0 || len(authorization) > 1:
		return nil, errors.New("there is more than one signature")
	case presigned:
		return parseQuery(query)
	case len(authorization) == 1:
		return parseHeader(r, query, authorization[0])
	}
	return nil, ErrUnsigned
}

func parseQuery(query url.Values) (*Signed, error) {
	one := map[string]string{}
	for _, name := range []string{Algorithm, Credential, Date, SignedHeaders, Signature, SecurityToken} {
		switch values := query[name]; {
		case len(values) == 1:
			one[name] = values[0]
		case len(values) > 1 || name != SecurityToken:
			return nil, fmt.Errorf("the query has to have one %s", name)
		}
	}
	if one[Algorithm] != algorithm {
		return nil, errors.New("the algorithm has to be " + algorithm)
	}
	rest := maps.Clone(query)
	delete(rest, Signature)
	s := &Signed{SessionToken: one[SecurityToken], query: rest, signature: one[Signature]}
	return s, s.read(one[Credential], one[Date], one[SignedHeaders])
}

func parseHeader(r *http.Request, query url.Values, authorization string) (*Signed, error) {
	parts, ok := strings.CutPrefix(authorization, algorithm+" ")
	if !ok {
		return nil, errors.New("the algorithm has to be " + algorithm)
	}
	one := map[string]string{}
	for part := range strings.SplitSeq(parts, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if _, twice := one[name]; twice || len(one) == 3 {
			return nil, errors.New("the Authorization header has to have Credential, SignedHeaders and Signature, and nothing more")
		}
		one[name] = value
	}
	dates, tokens := r.Header.Values(Date), r.Header.Values(SecurityToken)
	if len(dates) != 1 || len(tokens) > 1 {
		return nil, errors.New("there have to be one X-Amz-Date and at most one X-Amz-Security-Token")
	}
	s := &Signed{SessionToken: strings.Join(tokens, ""), query: query, signature: one["Signature"]}
	return s, s.read(one["Credential"], dates[0], one["SignedHeaders"])
}

func (s *Signed) read(credential, date, headers string) error {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || slices.Contains(parts, "") || parts[4] != terminator {
		return errors.New("the credential has to be KEY-ID/DATE/REGION/SERVICE/" + terminator)
	}
	s.AccessKeyID, s.Scope = parts[0], Scope{parts[1], parts[2], parts[3]}
	var err error
	if s.Date, err = time.Parse(timeFormat, date); err != nil {
		return errors.New("the date has to be in the form " + timeFormat)
	}
	s.Headers = strings.Split(headers, ";")
	strict := slices.Equal(s.Headers, slices.Compact(slices.Sorted(slices.Values(s.Headers))))
	if !strict || headers != strings.ToLower(headers) || !slices.Contains(s.Headers, "host") {
		return errors.New("the signed headers have to be in order, in lower case, and host has to be one of them")
	}
	return nil
}
