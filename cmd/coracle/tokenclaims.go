package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"coracle/authn"
	"coracle/authn/token"
)

// decodedToken is what a token says, which nobody has verified yet, and what was found out about it.
type decodedToken struct {
	Header map[string]any `json:"header"`
	Claims map[string]any `json:"claims"`
	Here   here           `json:"here"`
}

// decodeToken reads header and claims of a JSON Web Token (RFC 7519).
func decodeToken(raw string) (*decodedToken, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		if len(raw) == 23 && len(parts) == 2 {
			return nil, errors.New("this is a bootstrap token, ID.SECRET: what it means is in the Secret kube-system/bootstrap-token-" + printable(parts[0], false))
		}
		return nil, errors.New("this is no JSON Web Token, which has three parts with dots between them; what another token means, only the server knows that issued it")
	}
	t := &decodedToken{}
	for i, into := range []*map[string]any{&t.Header, &t.Claims} {
		name := []string{"header", "claims"}[i]
		data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[i], "="))
		if err != nil {
			return nil, fmt.Errorf("the token's %s cannot be decoded: it is not base64url; was it cut off, or copied with a line break in it?", name)
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		if err := d.Decode(into); err != nil || *into == nil {
			return nil, fmt.Errorf("the token's %s cannot be decoded: it is not a JSON object", name)
		}
	}
	return t, nil
}

// text is a claim that is a string, else "".
func (t *decodedToken) text(name string) string {
	s, _ := t.Claims[name].(string)
	return s
}

// instant is a claim that is a time (RFC 7519, NumericDate).
func instant(claims map[string]any, name string) (time.Time, bool) {
	n, ok := claims[name].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	if err != nil || f < 0 || f > 1e11 {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0).UTC(), true
}

// audiences are for whom the token is.
func (t *decodedToken) audiences() []string {
	switch aud := t.Claims["aud"].(type) {
	case string:
		return []string{aud}
	case []any:
		var list []string
		for _, a := range aud {
			if s, ok := a.(string); ok {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}

// claimLine is one line of the text, and what it means.
type claimLine struct{ name, value, means string }

func headerLines(t *decodedToken) []claimLine {
	var lines []claimLine
	for _, k := range sortedKeys(t.Header, []string{"alg", "kid", "typ"}) {
		l := claimLine{name: printable(k, false), value: show(t.Header[k])}
		switch k {
		case "alg":
			l.means = "how it is signed; a server goes by its own key, not by this"
			if strings.EqualFold(fmt.Sprint(t.Header[k]), "none") {
				l.means = "not signed at all: a forgery, which every sound server refuses"
			} else if strings.HasPrefix(fmt.Sprint(t.Header[k]), "HS") {
				l.means = "signed with a shared secret: Kubernetes takes no such tokens"
			}
		case "kid":
			l.means = "which of the issuer's keys signed it"
		case "crit":
			l.means = "extensions that must be understood; Kubernetes understands none"
		}
		lines = append(lines, l)
	}
	return lines
}

func claimLines(t *decodedToken, now time.Time) []claimLine {
	var lines []claimLine
	first := []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "kubernetes.io"}
	for _, k := range sortedKeys(t.Claims, first) {
		if k == "kubernetes.io" {
			lines = append(lines, boundLines(t.Claims[k], now)...)
			continue
		}
		l := claimLine{name: printable(k, false), value: show(t.Claims[k]), means: meaning(k)}
		if at, ok := instant(t.Claims, k); ok && (k == "exp" || k == "nbf" || k == "iat") {
			l.value = at.Format(time.RFC3339) + ", " + when(at, now)
		}
		if k == "iss" && t.text("iss") == token.LegacyIssuer {
			l.means = "who issued it: a cluster, to be kept in a Secret"
		}
		lines = append(lines, l)
	}
	if _, ok := t.Claims["exp"]; !ok {
		lines = append(lines, claimLine{"exp", "(none)", "it never expires: only deleting what it depends on ends it"})
	}
	if _, ok := t.Claims["aud"]; !ok {
		lines = append(lines, claimLine{"aud", "(none)", "whoever it is shown to may use it at the API server"})
	}
	return lines
}

// meaning is what a claim is for (RFC 7519 section 4.1; KEP-1205).
func meaning(claim string) string {
	switch claim {
	case "iss":
		return "who issued it"
	case "sub":
		return "whom it speaks for"
	case "aud":
		return "for whom it is: anybody else must refuse it"
	case "exp":
		return "when it expires"
	case "nbf":
		return "from when on it is valid"
	case "iat":
		return "when it was issued"
	case "jti":
		return "its own name, which audit logs show as credential-id JTI=..."
	case "kubernetes.io/serviceaccount/namespace", "kubernetes.io/serviceaccount/service-account.name":
		return "the service account that it is for"
	case "kubernetes.io/serviceaccount/secret.name":
		return "the Secret that it is kept in; it ends with that"
	case "kubernetes.io/serviceaccount/service-account.uid":
		return "and no other account of the same name that came later"
	}
	return ""
}

// boundLines are the parts of the claim kubernetes.io.
func boundLines(claim any, now time.Time) []claimLine {
	bound, ok := claim.(map[string]any)
	if !ok {
		return []claimLine{{"kubernetes.io", show(claim), ""}}
	}
	var lines []claimLine
	for _, k := range sortedKeys(bound, []string{"namespace", "serviceaccount", "pod", "secret", "node", "warnafter"}) {
		l := claimLine{name: "kubernetes.io " + printable(k, false), value: show(bound[k])}
		if ref, ok := bound[k].(map[string]any); ok {
			l.value = fmt.Sprintf("%s (uid %s)", show(ref["name"]), show(ref["uid"]))
		}
		switch k {
		case "namespace":
			l.means = "where all that follows is"
		case "serviceaccount":
			l.means = "the account; deleting it ends the token, and one made anew has another uid"
		case "pod", "secret":
			l.means = "deleting this " + k + " ends the token"
		case "node":
			l.means = "the node that it was issued for"
		case "warnafter":
			l.means = "from then on its use is noted as stale: it lives longer than was asked for"
			if at, ok := instant(bound, k); ok {
				l.value = at.Format(time.RFC3339) + ", " + when(at, now)
			}
		}
		lines = append(lines, l)
	}
	return lines
}

func when(at, now time.Time) string {
	if at.After(now) {
		return "in " + authn.Span(at.Sub(now))
	}
	return authn.Span(now.Sub(at)) + " ago"
}

// show is a value in one line. Strings may come from an attacker: nothing in them reaches the terminal as it is.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "(none)"
	case string:
		return printable(v, false)
	case []any:
		var list []string
		for _, e := range v {
			list = append(list, show(e))
		}
		return strings.Join(list, ", ")
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "(unreadable)"
	}
	return printable(string(data), false)
}
