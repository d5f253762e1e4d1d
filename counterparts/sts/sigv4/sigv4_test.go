package sigv4

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The requests here were signed by Amazon's own botocore 1.43.11.
const (
	keyID   = "AKIAIOSFODNN7EXAMPLE"
	secret  = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	session = "tok/en+with=chars"

	presigned = "https://127.0.0.1:7447/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260102%2Feu-west-1%2Fsts%2Faws4_request&X-Amz-Date=20260102T030405Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=1a55a97b3dd1a54e8017dca2850b2eccbe46817f300b2b5210b9261cd1d89658"
	temporary = "https://127.0.0.1:7447/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAIOSFODNN7EXAMPLE%2F20260102%2Feu-west-1%2Fsts%2Faws4_request&X-Amz-Date=20260102T030405Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Security-Token=tok%2Fen%2Bwith%3Dchars&X-Amz-Signature=09a24899e753a975d4633a4c4e2171992370b74460e88d529c18b91507ba53c9"

	body       = "Action=GetCallerIdentity&Version=2011-06-15"
	authorized = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260102/eu-west-1/sts/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=b213d081d303acf837507950721d08093cae2af9f3fd6232f0443111436c8d29"
)

func at() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func get(t testing.TB, target string) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), "GET", target, nil)
	r.Header.Set("x-k8s-aws-id", "boats")
	return r
}

func post(t testing.TB) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), "POST", "https://127.0.0.1:7447/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("X-Amz-Date", "20260102T030405Z")
	r.Header.Set("Authorization", authorized)
	return r
}

func TestPresign_SignsAsAmazonsOwnCodeDoes(t *testing.T) {
	to, _ := url.Parse("https://127.0.0.1:7447/?Action=GetCallerIdentity&Version=2011-06-15")
	headers := map[string]string{"x-k8s-aws-id": "boats"}
	for want, c := range map[string]Credentials{
		presigned: {AccessKeyID: keyID, SecretAccessKey: secret},
		temporary: {AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: secret, SessionToken: session},
	} {
		got := Presign(to, headers, c, "eu-west-1", "sts", time.Minute, at())
		wanted, _ := url.Parse(want)
		if got.Query().Get(Signature) != wanted.Query().Get(Signature) {
			t.Errorf("%s\nis signed otherwise than\n%s", got, want)
		}
	}
}

func TestBy_KnowsWhatAmazonsOwnCodeSigned(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"in the query":                  get(t, presigned),
		"in the query, with a token":    get(t, temporary),
		"in a header":                   post(t),
		"in the query, in other order":  get(t, reversed(presigned)),
		"in the query, escaped at will": get(t, strings.Replace(presigned, "GetCaller", "%47etCaller", 1)),
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			sent := ""
			if r.Method == "POST" {
				sent = body
			}
			if !s.By(secret, r, []byte(sent)) {
				t.Error("it is not taken for what it is")
			}
			if s.By(secret+"x", r, []byte(sent)) || s.By("", r, []byte(sent)) {
				t.Error("another secret is as good")
			}
			if !s.ByDay() || !s.Date.Equal(at()) || s.Scope != (Scope{"20260102", "eu-west-1", "sts"}) {
				t.Errorf("it says %s of %s", s.Scope, s.Date)
			}
		})
	}
}

func reversed(target string) string {
	path, query, _ := strings.Cut(target, "?")
	var out []string
	for pair := range strings.SplitSeq(query, "&") {
		out = append([]string{pair}, out...)
	}
	return path + "?" + strings.Join(out, "&")
}

func TestBy_NothingSignedMayChange(t *testing.T) {
	changed := func(change func(r *http.Request)) *http.Request {
		r := get(t, presigned)
		change(r)
		return r
	}
	for name, r := range map[string]*http.Request{
		"a bit of the signature":      get(t, strings.Replace(presigned, "658", "659", 1)),
		"the signature in capitals":   get(t, strings.Replace(presigned, "1a55a97b", "1A55A97B", 1)),
		"the signature, longer":       get(t, presigned+"0"),
		"no signature to speak of":    get(t, strings.Replace(presigned, "1a55a97b3dd1a54e8017dca2850b2eccbe46817f300b2b5210b9261cd1d89658", "", 1)),
		"the action":                  get(t, strings.Replace(presigned, "GetCallerIdentity", "AssumeRole", 1)),
		"another parameter":           get(t, presigned+"&RoleArn=x"),
		"the date":                    get(t, strings.Replace(presigned, "T030405Z", "T040405Z", 1)),
		"the region":                  get(t, strings.Replace(presigned, "eu-west-1", "eu-west-2", 1)),
		"the key":                     get(t, strings.Replace(presigned, "AKIA", "AKIB", 1)),
		"how long it lasts":           get(t, strings.Replace(presigned, "Expires=60", "Expires=900", 1)),
		"the host":                    changed(func(r *http.Request) { r.Host = "sts.amazonaws.com" }),
		"the method":                  changed(func(r *http.Request) { r.Method = "POST" }),
		"the path":                    changed(func(r *http.Request) { r.URL.Path = "/admin" }),
		"a signed header":             changed(func(r *http.Request) { r.Header.Set("x-k8s-aws-id", "lakes") }),
		"a signed header, twice":      changed(func(r *http.Request) { r.Header.Add("x-k8s-aws-id", "boats") }),
		"a signed header, taken away": changed(func(r *http.Request) { r.Header.Del("x-k8s-aws-id") }),
		"that a header is signed":     get(t, strings.Replace(presigned, "host%3Bx-k8s-aws-id", "host", 1)),
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			if s.By(secret, r, nil) {
				t.Error("it still counts as signed")
			}
		})
	}
	s, err := Parse(post(t))
	if err != nil {
		t.Fatal(err)
	}
	if s.By(secret, post(t), []byte(body+"&RoleArn=x")) {
		t.Error("another body counts as signed")
	}
}

func TestParse_Refuses(t *testing.T) {
	header := func(name, value string) *http.Request {
		r := post(t)
		r.Header.Set(name, value)
		return r
	}
	both := get(t, presigned)
	both.Header.Set("Authorization", authorized)
	twice := post(t)
	twice.Header.Add("Authorization", authorized)
	for name, test := range map[string]struct {
		r    *http.Request
		says string
	}{
		"nothing signed":               {get(t, "https://127.0.0.1/?Action=GetCallerIdentity"), "missing Authentication Token"},
		"two signatures":               {both, "more than one signature"},
		"two headers":                  {twice, "more than one signature"},
		"two dates":                    {get(t, presigned+"&X-Amz-Date=20260102T030405Z"), "one X-Amz-Date"},
		"two keys":                     {get(t, presigned+"&X-Amz-Credential=x"), "one X-Amz-Credential"},
		"no date":                      {get(t, strings.Replace(presigned, "X-Amz-Date", "X-Amz-Dote", 1)), "one X-Amz-Date"},
		"another algorithm":            {get(t, strings.Replace(presigned, "HMAC-SHA256", "NONE", 1)), "AWS4-HMAC-SHA256"},
		"a semicolon":                  {get(t, presigned+";x=y"), "query is malformed"},
		"host not signed":              {get(t, strings.Replace(presigned, "host%3B", "", 1)), "host has to be one"},
		"headers out of order":         {get(t, strings.Replace(presigned, "host%3Bx-k8s-aws-id", "x-k8s-aws-id%3Bhost", 1)), "in order"},
		"host twice":                   {get(t, strings.Replace(presigned, "host%3B", "host%3Bhost%3B", 1)), "in order"},
		"a credential of four parts":   {get(t, strings.Replace(presigned, "%2Fsts%2F", "%2F", 1)), "KEY-ID/DATE/REGION/SERVICE"},
		"a credential without a key":   {get(t, strings.Replace(presigned, keyID, "", 1)), "KEY-ID/DATE/REGION/SERVICE"},
		"another date":                 {get(t, strings.Replace(presigned, "20260102T030405Z", "tomorrow", 1)), "in the form"},
		"basic authentication":         {header("Authorization", "Basic eA=="), "AWS4-HMAC-SHA256"},
		"a part twice in the header":   {header("Authorization", authorized+", Signature=x"), "nothing more"},
		"more than that in the header": {header("Authorization", authorized+", Admin=x"), "nothing more"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(test.r); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want %q", err, test.says)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, target := range []string{presigned, temporary, reversed(presigned)} {
		f.Add(strings.SplitN(target, "?", 2)[1], "")
	}
	f.Add("", authorized)
	signedByAmazon := map[string]bool{}
	for _, target := range []string{presigned, temporary} {
		u, _ := url.Parse(target)
		signedByAmazon[canonicalQuery(u.Query())] = true
	}
	f.Fuzz(func(t *testing.T, query, authorization string) {
		r := get(t, "https://127.0.0.1:7447/")
		r.URL.RawQuery = query
		r.Header.Set("X-Amz-Date", "20260102T030405Z")
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		s, err := Parse(r)
		if err != nil {
			return
		}
		if s.By(secret, r, nil) && !signedByAmazon[canonicalQuery(r.URL.Query())] {
			t.Errorf("nobody signed %q %q", query, authorization)
		}
	})
}
