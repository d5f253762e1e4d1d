package sts

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"coracle/counterparts/people"
	"coracle/counterparts/sts/sigv4"
)

const (
	lifetime = 15 * time.Minute // of a signature
	ahead    = 5 * time.Minute  // how far clients' clocks may be ahead
	skew     = time.Hour        // of a skewed clock
	maxBody  = 16 << 10         // bytes
	version  = "2011-06-15"     // of the API

	otherAccount = "999999999999"
)

// Faults are those that the service has.
func Faults() []people.Fault {
	return []people.Fault{people.SkewedClock, people.Throttled, people.WrongAccount, people.STSDown}
}

// Service answers GetCallerIdentity.
type Service struct {
	People *people.File
	// Account is that of all who are known: twelve digits.
	Account string
	Now     func() time.Time
	Log     *slog.Logger
}

// ServeHTTP answers a GET that is signed in its query, or a POST that is signed in a header.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.People.Misbehaves(r.Context(), people.STSDown) {
		panic(http.ErrAbortHandler) // net/http's way to break a connection
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost || r.URL.Path != "/" {
		http.Error(w, "requests are made by GET or POST of /", http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body could not be read, or is too large", http.StatusRequestEntityTooLarge)
		return
	}
	form := wire{json: strings.Contains(r.Header.Get("Accept"), "application/json")}
	who, keyID, f := s.caller(r, body)
	if f != nil {
		s.Log.Warn("STS refuses", "key", keyID, "code", f.code, "message", f.message)
		form.fail(w, f)
		return
	}
	s.Log.Info("STS knows who signed", "key", keyID, "arn", who.Arn)
	form.answer(w, who)
}

// caller finds who signed the request.
func (s *Service) caller(r *http.Request, body []byte) (caller, string, *failure) {
	if s.People.Misbehaves(r.Context(), people.Throttled) {
		return caller{}, "", throttled()
	}
	signed, err := sigv4.Parse(r)
	if errors.Is(err, sigv4.ErrUnsigned) {
		return caller{}, "", unsigned()
	} else if err != nil {
		return caller{}, "", incomplete(err)
	}
	p, key := s.People.Content(r.Context()).ByAccessKey(signed.AccessKeyID)
	if key == nil {
		return caller{}, "", unknownKey() // whose id may be anything: it is not written down
	}
	if f := s.check(r, body, signed, key); f != nil {
		return caller{}, key.ID, f
	}
	parameters, err := parametersOf(r, body)
	if err != nil {
		return caller{}, key.ID, incomplete(err)
	}
	if action := parameters["Action"]; len(action) != 1 || action[0] != "GetCallerIdentity" || parameters.Get("Version") != version {
		return caller{}, key.ID, unknownAction(parameters.Get("Action"), parameters.Get("Version"))
	}
	account := s.Account
	if s.People.Misbehaves(r.Context(), people.WrongAccount) {
		account = otherAccount
	}
	return callerOf(account, p, key), key.ID, nil
}

// check judges a signature that is said to be of a key.
func (s *Service) check(r *http.Request, body []byte, signed *sigv4.Signed, key *people.AccessKey) *failure {
	now := s.now(r.Context())
	switch {
	case subtle.ConstantTimeCompare([]byte(signed.SessionToken), []byte(key.SessionToken)) == 0:
		return unknownKey()
	case signed.Scope.Service != "sts":
		return wrongSignature("Credential should be scoped to correct service: 'sts'. ")
	case !signed.ByDay():
		return wrongSignature("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
	case !signed.By(key.Secret, r, body): // before what the clock says, which is for those who have the secret
		return mismatch()
	case key.Expires != nil && now.After(*key.Expires):
		return expiredKey()
	}
	return outOfTime(signed.Date, now)
}

func (s *Service) now(ctx context.Context) time.Time {
	now := s.Now()
	if s.People.Misbehaves(ctx, people.SkewedClock) {
		return now.Add(skew)
	}
	return now
}

// parametersOf are those of the query, or of the form that was posted.
func parametersOf(r *http.Request, body []byte) (url.Values, error) {
	text := r.URL.RawQuery
	if r.Method == http.MethodPost {
		text = string(body)
	}
	parameters, err := url.ParseQuery(text)
	if err != nil {
		return nil, errors.New("the parameters are malformed")
	}
	return parameters, nil
}
