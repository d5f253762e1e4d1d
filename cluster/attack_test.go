package cluster

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"coracle/apiserver/audit"
)

// What one request may cost: so many times its size in memory that is allocated, beside what an answer costs in any case. Time is not
// measured; but whoever takes time by the square of what is sent does not answer within the patience of the client.
const (
	mostPerByte  = 2000
	mostInAnyway = 128 << 20
	mostKept     = 64 << 20
	patience     = time.Minute
)

// sent is one request of somebody who may do everything in one namespace, and nothing elsewhere.
type sent struct {
	name         string
	method, path string
	media        string
	header       http.Header
	body         string
}

// items are n bytes of a list's items, each made with its number.
func items(n int, format string) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		if strings.Contains(format, "%") {
			fmt.Fprintf(&b, format, i)
		} else {
			b.WriteString(format)
		}
	}
	return b.String()
}

// hostile are requests of about n bytes each.
func hostile(n int) []sent {
	const (
		maps, pods     = "/api/v1/namespaces/h/configmaps", "/api/v1/namespaces/h/pods"
		free, tight    = "/apis/x.io/v1/namespaces/h/free", "/apis/x.io/v1/namespaces/h/tight"
		merge, ops     = "application/merge-patch+json", "application/json-patch+json"
		strategic      = "application/strategic-merge-patch+json"
		applied, asYML = "application/apply-patch+yaml", "application/yaml"
		protobuf       = "application/vnd.kubernetes.protobuf"
		reviews        = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
		dry            = "?dryRun=All"
	)
	var all []sent
	add := func(name, method, path, media, body string) {
		all = append(all, sent{name: name, method: method, path: path, media: media, body: body})
	}
	repeat := func(s string) string { return strings.Repeat(s, n/len(s)) }
	for name, v := range map[string]string{
		"deep arrays":        strings.Repeat("[", 9000) + repeat("1,") + "1" + strings.Repeat("]", 9000),
		"numbers":            "[" + repeat("1,") + "1]",
		"empty objects":      "[" + repeat("{},") + "1]",
		"many keys":          "{" + items(n, `"%x":""`) + "}",
		"one key many times": "{" + repeat(`"a":1,`) + `"a":1}`,
		"escapes":            `"` + repeat(`\u0001`) + `"`,
		"digits":             repeat("9"),
		"an exponent":        "1e" + repeat("9"),
		"long keys above many": strings.Repeat(`{"`+strings.Repeat("a", 300)+`":`, 300) + "{" + items(n, `"%x":""`) + "}" +
			strings.Repeat("}", 300),
	} {
		add("unknown field: "+name, "POST", maps+dry+"&fieldValidation=Strict", "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"n"},"x":`+v+`}`)
		add("data: "+name, "POST", maps+dry, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"n"},"data":`+v+`}`)
		add("merge patch: "+name, "PATCH", maps+"/a"+dry, merge, `{"x":`+v+`}`)
		add("strategic patch: "+name, "PATCH", pods+"/p"+dry, strategic, `{"spec":{"containers":`+v+`}}`)
		add("JSON patch: "+name, "PATCH", maps+"/a"+dry, ops, `[{"op":"add","path":"/data","value":`+v+`}]`)
		add("applied: "+name, "PATCH", maps+"/a"+dry+"&fieldManager=m", applied, `{"apiVersion":"v1","kind":"ConfigMap","data":`+v+`}`)
		add("custom: "+name, "POST", free+dry, "", `{"apiVersion":"x.io/v1","kind":"Free","metadata":{"name":"n"},"spec":`+v+`}`)
		add("custom, applied: "+name, "PATCH", free+"/n"+dry+"&fieldManager=m", applied, `{"apiVersion":"x.io/v1","kind":"Free","spec":`+v+`}`)
		add("custom list: "+name, "POST", tight+dry, "", `{"apiVersion":"x.io/v1","kind":"Tight","metadata":{"name":"n"},"spec":`+v+`}`)
		add("owners: "+name, "POST", maps+dry, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"n","managedFields":[{"manager":"m","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":`+v+`}]}}`)
		add("options: "+name, "DELETE", maps+"/none", "", `{"kind":"DeleteOptions","apiVersion":"v1","x":`+v+`}`)
		add("review: "+name, "POST", reviews, "", `{"spec":{"resourceAttributes":{"verb":"get"}},"x":`+v+`}`)
	}
	pod := func(spec string) string {
		return `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"n"},"spec":{` + spec + `}}`
	}
	container := func(field string) string { return pod(`"containers":[{"name":"c","image":"i",` + field + `}]`) }
	for name, body := range map[string]string{
		"containers":          pod(`"containers":[` + items(n, `{"name":"c%x"}`) + `]`),
		"variables":           container(`"env":[` + items(n, `{"name":"E%x"}`) + `]`),
		"variables without":   container(`"env":[` + items(n/4, `{}`) + `]`),
		"ports":               container(`"ports":[` + items(n, `{"containerPort":%d}`) + `]`),
		"mounts":              container(`"volumeMounts":[` + items(n, `{"name":"v","mountPath":"/%x"}`) + `]`),
		"claims":              container(`"resources":{"claims":[` + items(n, `{"name":"c%x"}`) + `]}`),
		"limits":              container(`"resources":{"limits":{` + items(n, `"x.io/%x":"1e-999999999"`) + `}}`),
		"a limit":             container(`"resources":{"limits":{"cpu":"1E-999999999"}}`),
		"an escaped limit":    container(`"resources":{"limits":{"cpu":"1\u0045-999999999"}}`),
		"a limit of digits":   container(`"resources":{"limits":{"cpu":` + repeat("9") + `}}`),
		"volumes":             pod(`"containers":[],"volumes":[` + items(n, `{"name":"v%x"}`) + `]`),
		"files of a volume":   pod(`"containers":[{"name":"c","image":"i"}],"volumes":[{"name":"v","configMap":{"name":"a","items":[` + items(n, `{"key":"a","path":"%x"}`) + `]}}]`),
		"tolerations":         pod(`"containers":[],"tolerations":[` + items(n/4, `{}`) + `]`),
		"spread constraints":  pod(`"containers":[],"topologySpreadConstraints":[` + items(n, `{"topologyKey":"%x"}`) + `]`),
		"affinity":            pod(`"containers":[],"affinity":{"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[` + items(n/4, `{}`) + `]}}`),
		"managers":            `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"n","managedFields":[` + items(n, `{"manager":"m%d","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{}}`) + `]}}`,
		"owner references":    `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"n","ownerReferences":[` + items(n/4, `{}`) + `]}}`,
		"labels":              `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"n","labels":{` + items(n, `"-%x":"-"`) + `}}}`,
		"strings of one list": container(`"args":[` + items(n, `""`) + `]`),
	} {
		add("pod with many "+name, "POST", pods+dry, "", body)
	}
	add("protobuf of empty containers", "POST", pods+dry, protobuf, "k8s\x00\x0a\x09\x0a\x02v1\x12\x03Pod\x12"+varint(n+1+len(varint(n)))+"\x12"+varint(n)+strings.Repeat("\x12\x00", n/2))
	add("protobuf of unknown fields", "POST", maps+dry, protobuf, "k8s\x00\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12"+varint(n/3*3)+strings.Repeat("\xf8\x3f\x01", n/3))
	add("inserts", "PATCH", maps+"/a"+dry, ops, `[{"op":"add","path":"/metadata/finalizers","value":[`+items(n, `"a.io/b"`)+`]}`+strings.Repeat(`,{"op":"add","path":"/metadata/finalizers/0","value":"a.io/b"}`, 9000)+`]`)
	add("order of many", "PATCH", pods+"/p"+dry, strategic, `{"spec":{"$setElementOrder/containers":[`+items(n, `{"name":"%x"}`)+`]}}`)
	add("finalizers merged", "PATCH", pods+"/p"+dry, strategic, `{"metadata":{"finalizers":[`+items(n, `"a/%x"`)+`]}}`)
	add("claims of a set", "POST", "/apis/apps/v1/namespaces/h/statefulsets"+dry, "", `{"metadata":{"name":"s"},"spec":{"volumeClaimTemplates":[`+items(n, `{"metadata":{"name":"c%x"}}`)+`]}}`)
	add("rules", "POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/h/roles"+dry, "", `{"metadata":{"name":"r"},"rules":[`+items(n, `{"verbs":["v%x"],"apiGroups":["a"],"resources":["r"]}`)+`]}`)
	add("hosts", "POST", "/apis/networking.k8s.io/v1/namespaces/h/ingresses"+dry, "", `{"metadata":{"name":"i"},"spec":{"tls":[{"hosts":[`+items(n/2, `"*"`)+`]}]}}`)
	add("peers", "POST", "/apis/networking.k8s.io/v1/namespaces/h/networkpolicies"+dry, "", `{"metadata":{"name":"p"},"spec":{"podSelector":{},"ingress":[`+items(n, `{"from":[{"ipBlock":{"cidr":"x"}}]}`)+`]}}`)
	add("schedule", "POST", "/apis/batch/v1/namespaces/h/cronjobs"+dry, "", `{"metadata":{"name":"c"},"spec":{"schedule":"`+repeat("0-59/1,")+`0 * * * *"}}`)
	for name, text := range map[string]string{
		"directives":     items(n, "%%TAG !a%d! b\n") + "---\n",
		"aliases":        "x:\n- &a0 [1,1,1,1,1,1,1,1,1,1]\n" + strings.ReplaceAll(items(n/4, "- &b%[1]d [*a0,*a0]\n"), ",- ", "- "),
		"merge keys":     "x:\n- &a {a: 1, b: 2, c: 3}\n" + repeat("- {<<: *a}\n"),
		"open brackets":  "x: " + repeat("["),
		"nested dashes":  "x:\n" + repeat("- "),
		"question marks": "x: " + repeat("? "),
		"base 60":        "x: " + repeat("1:") + "1",
	} {
		add("YAML of "+name, "POST", maps+dry, asYML, text)
		add("YAML applied, of "+name, "PATCH", maps+"/n"+dry+"&fieldManager=m", applied, text)
	}
	get := func(name, path string, header http.Header) {
		all = append(all, sent{name: name, method: "GET", path: path, header: header})
	}
	get("terms of a selector", pods+"?labelSelector="+repeat("a,")+"a", nil)
	get("terms of a selector, by nobody", pods+"?labelSelector="+repeat("a,")+"a", http.Header{"Authorization": nil})
	get("fields of a selector", pods+"?fieldSelector="+repeat("metadata.name=a,")+"a=a", nil)
	get("parameters", pods+"?"+repeat("a&"), nil)
	get("segments of a path", pods+"/"+repeat("a/"), nil)
	get("a token to go on with", pods+"?limit=1&continue="+url.QueryEscape(base64.RawURLEncoding.EncodeToString([]byte(`{"v":`+strings.Repeat("[", n/2)))), nil)
	get("media ranges", pods, http.Header{"Accept": {repeat("a/b;q=0.1,")}})
	get("entity tags", "/openapi/v2", http.Header{"If-None-Match": {repeat(`"a",`)}})
	get("parts of a range", "/openapi/v2", http.Header{"Range": {"bytes=" + repeat("0-,") + "0-"}})
	get("groups to act as", pods, http.Header{"Impersonate-User": {"a"}, "Impersonate-Group": strings.Split(repeat("a,")[:20000], ",")})
	get("protocols", pods+"/p/exec?command=a", http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Protocol": {repeat("a,")}})
	get("a token of brackets", pods, http.Header{"Authorization": {"Bearer " + base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","x":`+strings.Repeat("[", n/2))) + ".e30.c2ln"}})
	get("a token of dots", pods, http.Header{"Authorization": {"Bearer " + repeat(".")}})
	return all
}

func varint(n int) string {
	var b []byte
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return string(append(b, byte(n)))
}

// Whatever somebody sends, it takes memory, and so time, in proportion to its size, and is forgotten.
func TestAttack_WorkIsBounded(t *testing.T) {
	dir := t.TempDir()
	tokens := filepath.Join(dir, "tokens.csv")
	if err := os.WriteFile(tokens, []byte("mallory,mallory,mallory\nroot,root,root,system:masters\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	policy := filepath.Join(dir, "policy.yaml") // all that is said is written down as well
	if err := os.WriteFile(policy, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: RequestResponse}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := Config{DataDir: filepath.Join(dir, "data"), Era: "modern", Controllers: []string{"-*"}, Log: slog.New(slog.DiscardHandler)}
	config.TokenAuthFile = tokens
	config.Audit = audit.DefaultOptions()
	config.Audit.PolicyFile, config.Audit.Log.Path = policy, filepath.Join(dir, "audit.log")
	c, err := Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	admin, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := rest.HTTPClientFor(rest.AnonymousClientConfig(admin))
	if err != nil {
		t.Fatal(err)
	}
	send := func(who string, s sent) (int, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, s.method, c.URL+s.path, strings.NewReader(s.body))
		if err != nil {
			return 0, err
		}
		r.Header.Set("Authorization", "Bearer "+who)
		if s.media != "" {
			r.Header.Set("Content-Type", s.media)
		}
		for name, values := range s.header {
			r.Header[name] = values
		}
		answer, err := client.Do(r)
		if err != nil {
			return 0, err
		}
		defer answer.Body.Close()
		_, err = io.Copy(io.Discard, answer.Body)
		return answer.StatusCode, err
	}
	definition := func(plural, kind, schema string) sent {
		return sent{method: "POST", path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body: fmt.Sprintf(`{"metadata":{"name":"%[1]s.x.io"},"spec":{"group":"x.io","scope":"Namespaced",
			"names":{"plural":"%[1]s","kind":%[2]q},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":%[3]s}}]}}`, plural, kind, schema)}
	}
	const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/h"
	for _, s := range []sent{
		{method: "POST", path: "/api/v1/namespaces", body: `{"metadata":{"name":"h"}}`},
		{method: "POST", path: "/api/v1/namespaces/h/serviceaccounts", body: `{"metadata":{"name":"default"}}`},
		{method: "POST", path: rbac + "/roles", body: `{"metadata":{"name":"all"},"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]}`},
		{method: "POST", path: rbac + "/rolebindings", body: `{"metadata":{"name":"all"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"all"},"subjects":[{"kind":"User","name":"mallory"}]}`},
		{method: "POST", path: "/api/v1/namespaces/h/configmaps", body: `{"metadata":{"name":"a"},"data":{"k":"v"}}`},
		{method: "POST", path: "/api/v1/namespaces/h/pods", body: `{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}}`},
		definition("free", "Free", `{"type":"object","x-kubernetes-preserve-unknown-fields":true}`),
		definition("tight", "Tight", `{"type":"object","properties":{"spec":{"type":"array","items":{"type":"object","properties":{"a":{"type":"string"}}}}}}`),
		{method: "GET", path: "/openapi/v2"},
	} {
		if code, err := send("root", s); code >= 300 || err != nil {
			t.Fatalf("%s %s: %d, %v", s.method, s.path, code, err)
		}
	}
	const size = 250_000
	for _, s := range hostile(size) {
		t.Run(s.name, func(t *testing.T) {
			runtime.GC()
			var before, after, kept runtime.MemStats
			runtime.ReadMemStats(&before)
			routines := runtime.NumGoroutine()
			code, err := send("mallory", s)
			runtime.ReadMemStats(&after)
			if err != nil || code >= 500 && code != 504 && !strings.Contains(s.name, "applied") && !strings.Contains(s.name, "strategic") {
				t.Errorf("answered %d, %v", code, err)
			}
			sent := len(s.body) + len(s.path)
			for _, values := range s.header {
				for _, v := range values {
					sent += len(v)
				}
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > uint64(mostInAnyway+mostPerByte*sent) {
				t.Errorf("%d MB are allocated for %d bytes", took>>20, sent)
			}
			runtime.GC()
			runtime.ReadMemStats(&kept)
			if kept.HeapAlloc > before.HeapAlloc+mostKept {
				t.Errorf("%d MB are kept of %d bytes", (kept.HeapAlloc-before.HeapAlloc)>>20, sent)
			}
			if n := runtime.NumGoroutine(); n > routines+20 {
				t.Errorf("%d goroutines are left", n-routines)
			}
		})
	}
}
