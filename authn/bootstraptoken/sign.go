package bootstraptoken

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// The ConfigMap by which a cluster introduces itself, in kube-public.
const (
	InfoName        = "cluster-info"
	InfoKubeconfig  = "kubeconfig"
	SignaturePrefix = "jws-kubeconfig-" // of the keys that hold signatures, before the token's id
)

// Sign makes a detached signature of content with the token's secret: a JWS in compact form (RFC 7515, appendix F)
// whose payload is left out, HEADER..SIGNATURE, with the algorithm HS256 and the token's id as the key's.
func Sign(content string, t Token) string {
	encode := base64.RawURLEncoding.EncodeToString
	header, _ := json.Marshal(struct { // strings can always be encoded
		Algorithm string `json:"alg"`
		Key       string `json:"kid"`
	}{"HS256", t.ID})
	mac := hmac.New(sha256.New, []byte(t.Secret))
	mac.Write([]byte(encode(header) + "." + encode([]byte(content))))
	return encode(header) + ".." + encode(mac.Sum(nil))
}

// Verify tells whether signature is that of content with the token's secret. Headers are compared as they are: no
// other algorithm is ever considered.
func Verify(content, signature string, t Token) bool {
	return hmac.Equal([]byte(signature), []byte(Sign(content, t)))
}
