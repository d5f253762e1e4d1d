package sts

import (
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"net/http"
)

const namespace = "https://sts.amazonaws.com/doc/2011-06-15/"

// wire is how answers are written: in XML, or in JSON for those who accept it.
type wire struct{ json bool }

type metadata struct {
	RequestID string `json:"RequestId" xml:"RequestId"`
}

type identityAnswer struct {
	XMLName  xml.Name `json:"-" xml:"GetCallerIdentityResponse"`
	Xmlns    string   `json:"-" xml:"xmlns,attr"`
	Result   caller   `json:"GetCallerIdentityResult" xml:"GetCallerIdentityResult"`
	Metadata metadata `json:"ResponseMetadata" xml:"ResponseMetadata"`
}

type errorAnswer struct {
	XMLName xml.Name `json:"-" xml:"ErrorResponse"`
	Xmlns   string   `json:"-" xml:"xmlns,attr"`
	Error   struct{ Type, Code, Message string }
	metadata
}

func (f wire) answer(w http.ResponseWriter, who caller) {
	a := identityAnswer{Xmlns: namespace, Result: who, Metadata: metadata{rand.Text()}}
	if f.json {
		f.write(w, http.StatusOK, map[string]any{"GetCallerIdentityResponse": a})
		return
	}
	f.write(w, http.StatusOK, a)
}

func (f wire) fail(w http.ResponseWriter, what *failure) {
	a := errorAnswer{Xmlns: namespace, metadata: metadata{rand.Text()}}
	a.Error.Type, a.Error.Code, a.Error.Message = "Sender", what.code, what.message
	f.write(w, what.status, a)
}

func (f wire) write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Cache-Control", "no-store")
	if f.json {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(v) // that the asker has gone is no concern of ours
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	xml.NewEncoder(w).Encode(v)
}
