package idp

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"

	"coracle/counterparts/people"
)

// token gives an ID token for a code or for a refresh token (RFC 6749, sections 4.1.3 and 6).
func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	value := r.PostFormValue
	if value("client_id") != i.client {
		refuse(w, "invalid_client")
		return
	}
	var what grant
	good := false
	switch value("grant_type") {
	case "authorization_code":
		what, good = i.codes.take(value("code"))
		good = good && what.redirect == value("redirect_uri") && proves(value("code_verifier"), what.challenge)
	case "refresh_token":
		what, good = i.refreshes.take(value("refresh_token"))
	default:
		refuse(w, "unsupported_grant_type")
		return
	}
	// Somebody who was taken from the file since then gets nothing more.
	everybody := i.people.Content(r.Context()).Users
	at := slices.IndexFunc(everybody, func(p people.Person) bool { return p.Name == what.person })
	if !good || at < 0 {
		refuse(w, "invalid_grant")
		return
	}
	signed, err := i.sign(r.Context(), &everybody[at], what.nonce)
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, map[string]string{"error": "server_error"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"token_type": "Bearer", "expires_in": int(Lifetime.Seconds()), "id_token": signed,
		"access_token":  signed, // required by the RFC; there is nothing else to access
		"refresh_token": i.refreshes.add(grant{person: what.person}),
	})
}

func refuse(w http.ResponseWriter, why string) {
	writeJSON(w, http.StatusBadRequest, map[string]string{"error": why})
}

// proves tells whether who sends the verifier is who sent the challenge.
func proves(verifier, challenge string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}
