package authn

import (
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"
)

const (
	// maxToken bounds a bearer token, in bytes. Tokens of real issuers have some hundred bytes to a few thousand.
	maxToken = 64 << 10

	// websocketToken starts the WebSocket subprotocol that carries a token: browsers cannot set headers on a
	// WebSocket, but they can offer protocols.
	websocketToken    = "base64url.bearer.authorization.k8s.io."
	websocketProtocol = "Sec-Websocket-Protocol"

	warnSpace = "the provided Authorization header contains extra space before the bearer token, and is ignored"

	whyTooLong     reason = "the bearer token is longer than 64 KiB, which no issuer's is"
	whyTwoTokens   reason = "multiple base64.bearer.authorization tokens specified"
	whyEncoding    reason = "invalid base64.bearer.authorization token encoding"
	whyNotUTF8     reason = "invalid base64.bearer.authorization token"
	whyNoSubproto  reason = "missing additional subprotocol"
	schemeOfBearer        = "bearer"
)

// bearer finds a request's bearer token (RFC 6750, section 2.1): in the Authorization header, or offered as
// a WebSocket protocol. A token in the query string or in a body is none: it would end up in logs.
// The error is Kubernetes' sentence about a token that is there and cannot be read.
func bearer(h http.Header) (token, warning string, err error) {
	token, warning = authorization(h)
	if token == "" {
		token, err = offered(h)
	}
	if len(token) > maxToken {
		return "", warning, whyTooLong
	}
	return token, warning, err
}

// authorization reads the first Authorization header; Kubernetes ignores further ones too.
func authorization(h http.Header) (token, warning string) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(h.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, schemeOfBearer) {
		return "", ""
	}
	token, _, more := strings.Cut(rest, " ")
	if token == "" && more {
		return "", warnSpace
	}
	return token, ""
}

// offered reads the token among the protocols that a WebSocket request offers. There must be another
// protocol beside it, since the server has to agree to one, and that must not be the token.
func offered(h http.Header) (string, error) {
	if !isWebSocket(h) {
		return "", nil
	}
	var token string
	var seen, others bool
	for _, line := range h[websocketProtocol] {
		for p := range strings.SplitSeq(line, ",") {
			encoded, ok := strings.CutPrefix(strings.TrimSpace(p), websocketToken)
			if !ok {
				others = true
				continue
			}
			if seen {
				return "", whyTwoTokens
			}
			seen = true
			if len(encoded) > base64.RawURLEncoding.EncodedLen(maxToken) {
				return "", whyTooLong
			}
			decoded, err := base64.RawURLEncoding.DecodeString(encoded)
			if err != nil {
				return "", whyEncoding
			}
			if !utf8.Valid(decoded) {
				return "", whyNotUTF8
			}
			token = string(decoded)
		}
	}
	if token != "" && !others {
		return "", whyNoSubproto
	}
	return token, nil
}

// isWebSocket says whether a request wants to become a WebSocket (RFC 6455, section 4.1).
func isWebSocket(h http.Header) bool {
	if !strings.EqualFold(h.Get("Upgrade"), "websocket") {
		return false
	}
	for p := range strings.SplitSeq(h.Get("Connection"), ",") {
		if strings.EqualFold(strings.TrimSpace(p), "upgrade") {
			return true
		}
	}
	return false
}
