package authn

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func offer(protocols ...string) http.Header {
	return http.Header{"Upgrade": {"websocket"}, "Connection": {"keep-alive, Upgrade"}, "Sec-Websocket-Protocol": protocols}
}

func protocol(token string) string {
	return websocketToken + base64.RawURLEncoding.EncodeToString([]byte(token))
}

func TestBearer(t *testing.T) {
	for name, test := range map[string]struct {
		header         http.Header
		token, warning string
		err            error
	}{
		"none":                        {header: http.Header{}},
		"plain":                       {header: http.Header{"Authorization": {"Bearer abc"}}, token: "abc"},
		"lower case":                  {header: http.Header{"Authorization": {"bearer abc"}}, token: "abc"},
		"spaces around":               {header: http.Header{"Authorization": {"  Bearer abc  "}}, token: "abc"},
		"more words behind":           {header: http.Header{"Authorization": {"Bearer abc def"}}, token: "abc"},
		"a space too many":            {header: http.Header{"Authorization": {"Bearer  abc"}}, warning: warnSpace},
		"a tab for a space":           {header: http.Header{"Authorization": {"Bearer\tabc"}}},
		"no token":                    {header: http.Header{"Authorization": {"Bearer"}}},
		"another scheme":              {header: http.Header{"Authorization": {"Basic YTpi"}}},
		"a longer scheme":             {header: http.Header{"Authorization": {"Bearers abc"}}},
		"two headers, the first wins": {header: http.Header{"Authorization": {"Bearer one", "Bearer two"}}, token: "one"},
		"a first header that is none": {header: http.Header{"Authorization": {"Basic YTpi", "Bearer two"}}},
		"too long":                    {header: http.Header{"Authorization": {"Bearer " + strings.Repeat("a", maxToken+1)}}, err: whyTooLong},

		"websocket":                    {header: offer("v5.channel.k8s.io, " + protocol("abc")), token: "abc"},
		"websocket, two lines":         {header: offer(protocol("abc"), "v4.channel.k8s.io"), token: "abc"},
		"websocket, nothing to agree":  {header: offer(protocol("abc")), err: whyNoSubproto},
		"websocket, two tokens":        {header: offer("v4", protocol("abc")+","+protocol("abc")), err: whyTwoTokens},
		"websocket, not base64url":     {header: offer("v4", websocketToken+"a+b"), err: whyEncoding},
		"websocket, padded":            {header: offer("v4", websocketToken+"YQ=="), err: whyEncoding},
		"websocket, not UTF-8":         {header: offer("v4", protocol("\xff\xfe")), err: whyNotUTF8},
		"websocket, empty":             {header: offer("v4", websocketToken)},
		"websocket, too long":          {header: offer("v4", protocol(strings.Repeat("a", maxToken+1))), err: whyTooLong},
		"not a websocket":              {header: http.Header{"Sec-Websocket-Protocol": {"v4", protocol("abc")}}},
		"Authorization goes first":     {header: merge(offer("v4", protocol("abc")), "Authorization", "Bearer def"), token: "def"},
		"upgrade to something else":    {header: merge(offer("v4", protocol("abc")), "Upgrade", "SPDY/3.1")},
		"connection that is not asked": {header: merge(offer("v4", protocol("abc")), "Connection", "keep-alive")},
	} {
		t.Run(name, func(t *testing.T) {
			token, warning, err := bearer(test.header)
			if token != test.token || warning != test.warning || err != test.err {
				t.Errorf("token %.20q, warning %q, error %v; want %.20q, %q, %v", token, warning, err, test.token, test.warning, test.err)
			}
		})
	}
}

func merge(h http.Header, key, value string) http.Header {
	h.Set(key, value)
	return h
}

func TestChain_IgnoresATokenInTheQuery(t *testing.T) {
	chain := NewChain(Strategies{Tokens: []Authenticator{accepts("any", "bob")}})
	if r := chain.Authenticate(t.Context(), &Credentials{Header: http.Header{}, Path: "/api?access_token=abc&token=abc"}); r.User != nil {
		t.Errorf("%s got in by a URL", r.User.GetName())
	}
}

func TestScrub_LeavesNothingThatAuthenticates(t *testing.T) {
	chain := NewChain(Strategies{Anonymous: NewAnonymous()})
	r := chain.Authenticate(t.Context(), &Credentials{})
	h := offer("v5.channel.k8s.io,"+protocol("abc"), "v4.channel.k8s.io")
	for _, name := range []string{"Authorization", "X-Remote-User", "X-Remote-Uid", "X-Remote-Group", "X-Remote-Extra-Scopes", "X-Remote-Extra-", "Accept"} {
		h.Add(name, "one")
		h.Add(name, "two")
	}
	r.Scrub(h)
	want := http.Header{
		"Upgrade": {"websocket"}, "Connection": {"keep-alive, Upgrade"}, "Accept": {"one", "two"},
		"Sec-Websocket-Protocol": {"v5.channel.k8s.io,v4.channel.k8s.io"},
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer abc", "v4,"+protocol("abc"))
	f.Add("Bearer  ", websocketToken)
	f.Fuzz(func(t *testing.T, authorization, protocols string) {
		h := offer(protocols)
		h.Set("Authorization", authorization)
		token, _, err := bearer(h)
		if err != nil && token != "" || len(token) > maxToken {
			t.Errorf("token of %d bytes with error %v", len(token), err)
		}
		(&Result{scrub: newScrubber(nil)}).Scrub(h)
		if token, _, err := bearer(h); token != "" || err != nil {
			t.Errorf("after scrubbing there is still a token of %d bytes (%v)", len(token), err)
		}
	})
}
