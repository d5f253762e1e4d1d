package typedjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	kjson "sigs.k8s.io/json"

	"coracle/apiserver/wire/typedjson"
)

// encodesAlike fails unless an object is written as encoding/json writes it.
func encodesAlike(t *testing.T, c *typedjson.Codec, obj any) []byte {
	t.Helper()
	want, wantErr := json.Marshal(obj)
	got, gotErr := c.Marshal(obj)
	if !bytes.Equal(want, got) || (wantErr == nil) != (gotErr == nil) || wantErr != nil && wantErr.Error() != gotErr.Error() {
		t.Fatalf("%T is written as\n%s, %v; want\n%s, %v", obj, got, gotErr, want, wantErr)
	}
	return got
}

// decodesAlike fails unless a document is read as the library reads it, or not understood. The library reads it strictly, and
// then there may be no doubts, and not strictly, which may say nothing else then.
func decodesAlike(t *testing.T, c *typedjson.Codec, doc []byte, empty func() runtime.Object) (understood bool) {
	t.Helper()
	given := bytes.Clone(doc)
	got := empty()
	understood = c.Unmarshal(doc, got)
	if !bytes.Equal(given, doc) {
		t.Fatalf("reading\n%s\nhas changed it to\n%s", given, doc)
	}
	if !understood {
		if want := empty(); !reflect.DeepEqual(want, got) {
			t.Fatalf("%s\nis not understood, and something of it stays: %s", doc, cmp.Diff(want, got))
		}
		return false
	}
	want := empty()
	doubts, err := kjson.UnmarshalStrict(doc, want)
	if err != nil || len(doubts) > 0 {
		t.Fatalf("%s\nis understood; the library says %v, %v", doc, err, errors.Join(doubts...))
	}
	clear(doc) // which what was read must not notice
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("%s\nis read as another object: %s", given, cmp.Diff(want, got))
	}
	copy(doc, given)
	lenient := empty()
	if err := kjson.UnmarshalCaseSensitivePreserveInts(doc, lenient); err != nil || !reflect.DeepEqual(want, lenient) {
		t.Fatalf("%s\nis read differently when it is not read strictly: %v", doc, err)
	}
	return true
}

// TestAlike_RandomObjects writes and reads objects of every kind.
func TestAlike_RandomObjects(t *testing.T) {
	scheme, all := kinds(t)
	var c typedjson.Codec
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	read, understood := 0, 0
	for i, kind := range all {
		empty := func() runtime.Object {
			obj, err := scheme.New(kind)
			if err != nil {
				t.Fatal(err)
			}
			return obj
		}
		for round := range rounds {
			r := filler{Rand: rand.New(rand.NewPCG(uint64(i), uint64(round))), words: words(), valid: round%2 == 0, left: most}
			obj := empty()
			r.fill(reflect.ValueOf(obj).Elem(), 2+round%9)
			doc := encodesAlike(t, &c, obj)
			if doc == nil {
				continue
			}
			read++
			if decodesAlike(t, &c, doc, empty) {
				understood++
			}
			var wide bytes.Buffer
			if err := json.Indent(&wide, doc, "\t", " \r\n"); err != nil {
				t.Fatal(err)
			}
			decodesAlike(t, &c, wide.Bytes(), empty)
		}
	}
	if read < 1000 || understood < read/2 {
		t.Errorf("%d of %d documents were understood: is it of any use?", understood, read)
	}
}

// TestAlike_Testdata reads what Kubernetes has as an example of each kind, and what comes of it by small changes.
func TestAlike_Testdata(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/api").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "testdata", "HEAD", "*.json"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	scheme, _ := kinds(t)
	var c typedjson.Codec
	changes := 60
	if testing.Short() {
		changes = 5
	}
	read, understood := 0, 0
	for i, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var of metav1.TypeMeta
		if err := json.Unmarshal(doc, &of); err != nil {
			t.Fatal(err)
		}
		empty := func() runtime.Object {
			obj, err := scheme.New(of.GroupVersionKind())
			if err != nil {
				return nil
			}
			return obj
		}
		if empty() == nil {
			continue
		}
		read++
		if decodesAlike(t, &c, doc, empty) {
			understood++
		}
		obj := empty()
		if err := json.Unmarshal(doc, obj); err != nil {
			t.Fatal(err)
		}
		compact := encodesAlike(t, &c, obj)
		r := rand.New(rand.NewPCG(1, uint64(i)))
		for range changes {
			decodesAlike(t, &c, changed(compact, r), empty)
		}
	}
	if read < 100 || understood < read*9/10 {
		t.Errorf("%d of %d documents were understood", understood, read)
	}
}

// changed puts something into a document, or in place of a part of it, or takes a part away.
func changed(doc []byte, r *rand.Rand) []byte {
	parts := []string{`null`, `true`, `0`, `-0`, `01`, `1.5`, `1e400`, `-1`, `99999999999`, `9223372036854775808`, `""`, `"a"`, `"\u0041"`, `"\ud83d"`, `{}`, `[]`, `[null]`,
		`{"a":null}`, `{"a":1,"a":1}`, `,`, `:`, `"`, `\`, "\x00", "\xff", "\u2028", "{", "}", "[", "]", " ", "\n", "é", `"kind":"Pod",`, `"Kind":"Pod",`, ``}
	from := r.IntN(len(doc))
	to := min(len(doc), from+r.IntN(3))
	if r.IntN(2) == 0 { // a whole value
		if colon := bytes.IndexByte(doc[from:], ':'); colon >= 0 {
			from += colon + 1
			to = from
			if end := bytes.IndexAny(doc[from:], ",}]"); end >= 0 {
				to = from + end
			}
		}
	}
	return append(append(bytes.Clone(doc[:from]), parts[r.IntN(len(parts))]...), doc[to:]...)
}

// TestUnmarshal_Understood tells what is read here and what is left to the library. Either way the result is the library's.
func TestUnmarshal_Understood(t *testing.T) {
	pod := func() runtime.Object { return &corev1.Pod{} }
	secret := func() runtime.Object { return &corev1.Secret{} }
	workload := func() runtime.Object { return &appsv1.Deployment{} }
	for _, c := range []struct {
		name, doc string
		empty     func() runtime.Object
		want      bool
	}{
		{"nothing in it", `{}`, pod, true},
		{"white space", " \t\r\n{ \"metadata\" : { \"name\" : \"p\" , \"labels\" : { } } } \n", pod, true},
		{"escapes", `{"metadata":{"annotations":{"a\"b":"\"\\\/\b\f\n\r\t\u20AC\ud83d\ude00"}}}`, pod, true},
		{"text that is not ASCII", `{"metadata":{"annotations":{"ä":"€ 😀"}}}`, pod, true},
		{"for HTML", `{"metadata":{"annotations":{"a":"<b>&"}}}`, pod, true},
		{"a time that is null", `{"metadata":{"creationTimestamp":null}}`, pod, true},
		{"null everywhere", `{"metadata":null,"spec":{"containers":null,"nodeSelector":null,"priority":null,"hostNetwork":null,"nodeName":null,"overhead":{"cpu":null}}}`, pod, true},
		{"null among others", `{"spec":{"containers":[null,{"args":["a",null]}]},"metadata":{"labels":{"a":null}}}`, pod, false},
		{"a null item", `{"spec":{"containers":[null,{"name":"c"}]}}`, pod, true},
		{"empty lists and maps", `{"spec":{"containers":[],"nodeSelector":{},"tolerations":[ ]}}`, pod, true},
		{"quantities", `{"spec":{"overhead":{"cpu":1,"memory":"1.5Gi","x":" 1 "}}}`, pod, true},
		{"what is no quantity", `{"spec":{"overhead":{"cpu":"much"}}}`, pod, false},
		{"binary data", `{"data":{"a":"aGVsbG8=","b":"","c":null,"d":"aGVs\nbG8="}}`, secret, true},
		{"binary data that is none", `{"data":{"a":"a"}}`, secret, false},
		{"binary data as a list", `{"data":{"a":[1,2]}}`, secret, false},
		{"a number or text", `{"spec":{"strategy":{"rollingUpdate":{"maxSurge":1,"maxUnavailable":"25%"}}}}`, workload, true},
		{"a number that is too large", `{"spec":{"replicas":2147483648}}`, workload, false},
		{"a negative one", `{"spec":{"replicas":-2147483648}}`, workload, true},
		{"minus nothing", `{"spec":{"replicas":-0}}`, workload, true},
		{"a zero in front", `{"spec":{"replicas":01}}`, workload, false},
		{"a fraction", `{"spec":{"replicas":1.0}}`, workload, false},
		{"an exponent", `{"spec":{"replicas":1e2}}`, workload, false},
		{"one without end", `{"spec":{"replicas":1e400}}`, workload, false},
		{"very many digits", `{"spec":{"replicas":` + strings.Repeat("9", 1000) + `}}`, workload, false},
		{"an unknown field", `{"spec":{"cpu":1}}`, pod, false},
		{"a field in other letters", `{"Spec":{}}`, pod, false},
		{"a field twice", `{"spec":{},"spec":{}}`, pod, false},
		{"a field of an embedded struct twice", `{"spec":{"volumes":[{"emptyDir":{},"name":"v","emptyDir":{}}]}}`, pod, false},
		{"a key twice", `{"metadata":{"labels":{"a":"1","a":"1"}}}`, pod, false},
		{"a key twice, written differently", `{"metadata":{"labels":{"a":"1","\u0061":"1"}}}`, pod, false},
		{"binary data twice", `{"data":{"a":"YQ==","a":"YQ=="}}`, secret, false},
		{"a quantity twice", `{"spec":{"overhead":{"cpu":"1","cpu":"1"}}}`, pod, false},
		{"a number or text that is too large", `{"spec":{"strategy":{"rollingUpdate":{"maxSurge":4294967297}}}}`, workload, false},
		{"a number or text that is null", `{"spec":{"template":{"spec":{"containers":[{"readinessProbe":{"httpGet":{"port":null}}}]}}}}`, workload, true},
		{"another type", `{"metadata":{"name":1}}`, pod, false},
		{"a comma too many", `{"metadata":{"name":"a",}}`, pod, false},
		{"a comma too many in a list", `{"spec":{"containers":[{},]}}`, pod, false},
		{"a comma in front", `{,"metadata":{}}`, pod, false},
		{"something behind it", `{}{}`, pod, false},
		{"nothing", ``, pod, false},
		{"cut short", `{"metadata":{"name":"a`, pod, false},
		{"a list", `[]`, pod, false},
		{"null", `null`, pod, false},
		{"a byte order mark", "\ufeff{}", pod, false},
		{"a zero byte", "{}\x00", pod, false},
		{"a line break in a text", "{\"metadata\":{\"name\":\"a\nb\"}}", pod, false},
		{"what is no UTF-8", "{\"metadata\":{\"name\":\"\xff\"}}", pod, false},
		{"half a pair", `{"metadata":{"name":"\ud83d"}}`, pod, false},
		{"the other half", `{"metadata":{"name":"\ude00\ud83d"}}`, pod, false},
		{"an escape that is none", `{"metadata":{"name":"\'"}}`, pod, false},
		{"an escape cut short", `{"metadata":{"name":"\u00`, pod, false},
		{"what writes itself", `{"metadata":{"managedFields":[{"fieldsV1": { "f:a" : {} } ,"time":"2026-01-02T03:04:05+01:00"}]}}`, pod, true},
		{"what writes itself badly", `{"metadata":{"managedFields":[{"fieldsV1":{"f:a":{]}]}}`, pod, false},
		{"a line break in what writes itself", "{\"metadata\":{\"managedFields\":[{\"fieldsV1\":{\"a\":\"\n\"}}]}}", pod, false},
		{"what is no UTF-8 in what writes itself", "{\"metadata\":{\"managedFields\":[{\"fieldsV1\":{\"a\":\"\xff\"}}]}}", pod, true},
		{"very deep", `{"metadata":{"managedFields":[{"fieldsV1":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}]}}`, pod, false},
		{"very long", `{"metadata":{"annotations":{"a":"` + strings.Repeat("x\\n", 1<<20) + `"}}}`, pod, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := decodesAlike(t, new(typedjson.Codec), []byte(c.doc), c.empty); got != c.want {
				t.Errorf("understood: %v, want %v", got, c.want)
			}
		})
	}
}

func TestUnmarshal_IntoWhatIsNotEmpty(t *testing.T) {
	var c typedjson.Codec
	doc := []byte(`{"metadata":{"name":"a"}}`)
	full := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"b": "c"}}}
	if c.Unmarshal(doc, full) || full.Name != "" {
		t.Error("an object that has something in it was read into")
	}
	named := &corev1.Pod{TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}}
	if !c.Unmarshal(doc, named) || named.Kind != "Pod" || named.Name != "a" {
		t.Errorf("one that says of which kind it is: %+v", named.TypeMeta)
	}
	named = &corev1.Pod{TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}}
	if c.Unmarshal([]byte(`{"kind":"X","metadata":{"name":1}}`), named) || named.Kind != "Pod" {
		t.Errorf("after what was not understood it says %+v", named.TypeMeta)
	}
	if c.Unmarshal(doc, (*corev1.Pod)(nil)) {
		t.Error("nothing was read into")
	}
}

// Room is made for the items of a list before they are read, and not for what a document only looks as if it had.
func TestUnmarshal_Lists(t *testing.T) {
	item := `{"name":"a,]","args":["[","\\\"",""],"ports":[{"containerPort":1},{"containerPort":2}]}`
	for _, n := range []int{0, 1, 2, 3, 100, 256, 257, 258, 1000} {
		list := func(item string) string { return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]" }
		doc := []byte(`{"spec":{"containers":` + list(item) + `},"metadata":{"finalizers":` + list(`"a]"`) + `}}`)
		if !decodesAlike(t, new(typedjson.Codec), doc, func() runtime.Object { return &corev1.Pod{} }) {
			t.Errorf("%d items are not understood", n)
		}
	}
	hollow := []byte(`{"spec":{"containers":[{},` + strings.Repeat(",", 1<<20) + `]}}`)
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	if new(typedjson.Codec).Unmarshal(hollow, &corev1.Pod{}) {
		t.Error("a list with items missing is understood")
	}
	goruntime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
		t.Errorf("a document of 1 MB took %d bytes", took)
	}
}

// Types of other kinds than Kubernetes has, which encoding/json writes in ways of their own.
type (
	asText    struct{ A string }
	asTextToo struct{ A string }
	asJSON    struct{ A string }
	asNothing struct{ A string }
	quoted    struct {
		A int `json:",string"`
	}
	shadowed     struct{ asInner }
	asInner      struct{ A string }
	withFraction struct{ A float64 }
	keyed        map[asKey]string
	asKey        string
	itself       struct{ A []itself }
	renamed      struct {
		A string `json:"<a>"`
		B string `json:"-"`
		D string
	}
	One   struct{ A string }
	Two   struct{ A string }
	twice struct {
		One
		Two
	}
)

func (t asText) MarshalText() ([]byte, error)     { return []byte("<" + t.A), nil }
func (t *asTextToo) MarshalText() ([]byte, error) { return []byte("<" + t.A), nil }
func (t *asJSON) MarshalJSON() ([]byte, error)    { return []byte(` ["<"] `), nil }
func (t *asJSON) UnmarshalJSON([]byte) error      { return nil }
func (t asNothing) MarshalJSON() ([]byte, error)  { return nil, nil }
func (t *asNothing) UnmarshalJSON([]byte) error   { return nil }
func (k asKey) MarshalText() ([]byte, error)      { return []byte("key " + k), nil }

func TestMarshal_Others(t *testing.T) {
	surge := func(s intstr.IntOrString) *appsv1.Deployment {
		return &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Strategy: appsv1.DeploymentStrategy{RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &s}}}}
	}
	owned := func(raw string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{{FieldsV1: metav1.NewFieldsV1(raw)}}}}
	}
	var c typedjson.Codec
	for _, obj := range []any{nil, 1, "a", map[string]any{"b": 1, "a": "<"}, (*corev1.Pod)(nil), corev1.Pod{}, &[]corev1.Container{{}},
		&corev1.ResourceList{"b": {}, "a": {}}, &metav1.Duration{Duration: 5}, func() {}, &struct{ corev1.Pod }{}, &metav1.Time{},
		&[]asText{{"a"}}, &map[string]asText{"a": {"b"}}, &[]asTextToo{{"a"}}, &map[string]asTextToo{"a": {"b"}}, &map[string]asJSON{"a": {}}, &[]asJSON{{}}, &[]*asJSON{nil, {}},
		&asNothing{}, &[]asNothing{{}}, &quoted{1}, &shadowed{}, &withFraction{1e21}, &keyed{"a": "b"}, &itself{[]itself{{}}}, &renamed{"a", "b", "d"}, &twice{One{"a"}, Two{"b"}},
		surge(intstr.FromInt32(1)), surge(intstr.FromString("<")), surge(intstr.IntOrString{Type: 7}),
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.Date(12026, 1, 2, 3, 4, 5, 6, time.UTC)}},
		owned(``), owned(`{"a":"<"}`), owned("{\"a\":\"\u2028\"}"), owned("{\"a\":\"€\"}"), owned(`{ "a":1}`), owned("{\"a\":\"\xff\"}"), owned(`{`), owned(`{}x`), owned("{\"a\":\"\n\"}"),
	} {
		encodesAlike(t, &c, obj)
	}
}

// TestCodec_ManyAtOnce is for the race detector: plans are made while they are used.
func TestCodec_ManyAtOnce(t *testing.T) {
	var c typedjson.Codec
	doc := []byte(`{"metadata":{"name":"a","labels":{"b":"c"}},"spec":{"template":{"spec":{"containers":[{"name":"d","resources":{"limits":{"cpu":"1"}}}]}}}}`)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, obj := range []runtime.Object{&appsv1.Deployment{}, &appsv1.ReplicaSet{}, &appsv1.DaemonSet{}} {
				if !c.Unmarshal(doc, obj) {
					t.Errorf("%T is not understood", obj)
				}
				if b, err := c.Marshal(obj); err != nil || !bytes.Contains(b, []byte(`"limits":{"cpu":"1"}`)) {
					t.Errorf("%s, %v", b, err)
				}
			}
		})
	}
	all.Wait()
}
