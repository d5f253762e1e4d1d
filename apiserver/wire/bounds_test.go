package wire

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const podHead, podTail = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c"`, `}]}}`

func limited(cpu string) string {
	return podHead + `,"resources":{"limits":{"cpu":` + cpu + `}}` + podTail
}

func TestCrowded(t *testing.T) {
	wide := func(n int) string { return `{"a":{` + strings.TrimSuffix(strings.Repeat(`"k":"",`, n), ",") + `}}` }
	for _, c := range []struct {
		name, doc string
		want      bool
	}{
		{name: "nothing", doc: `{}`},
		{name: "a thousand members", doc: wide(1000)},
		{name: "as many as may be", doc: wide(29_000)},
		{name: "more", doc: wide(31_000), want: true},
		{name: "several of many", doc: "[" + wide(20_000) + "," + wide(20_000) + "," + wide(20_000) + "]", want: true},
		{name: "much in many places", doc: "[" + strings.Repeat(wide(100)+",", 1000) + "1]"},
		{name: "text", doc: `"` + strings.Repeat(`,[{\"`, 100_000) + `"`},
	} {
		if got := Crowded([]byte(c.doc)); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}

// A quantity of sixteen bytes would be worked on for hours, and an empty object of a list takes two hundred times its size.
func TestAttack_BodiesThatGrow(t *testing.T) {
	scheme, err := NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	codec := NewCodec(scheme)
	encoded := func(change func(*corev1.Pod)) string {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}}}
		pod.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
		change(pod)
		b, err := codec.Encode(pod, Format{Media: Protobuf})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	half := encoded(func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m")}
	})
	for _, c := range []struct {
		name, media, body string
		says              string // part of the error; "" for none
	}{
		{name: "a quantity", body: limited(`"100m"`)},
		{name: "a number", body: limited(`2`)},
		{name: "with an exponent", body: limited(`"1E3"`)},
		{name: "with a large one", body: limited(`"1e999"`)},
		{name: "with one that is too large", body: limited(`"1E999999999"`), says: "too large or too small"},
		{name: "with one that is too small", body: limited(`"1E-999999999"`), says: "1E-999999999 is too"},
		{name: "with one of many digits", body: limited(`"1E-0000000000000000001"`), says: "too large or too small"},
		{name: "written otherwise", body: limited(`"\u0031\u0045-99999999\u0039"`), says: "too large or too small"},
		{name: "as a number", body: limited(`1E-999999999`), says: "too large or too small"},
		{name: "a number behind a sign", body: limited(`-1E-999999999`), says: "too large or too small"},
		{name: "of many digits", body: limited(`"` + strings.Repeat("9", 20000) + `"`), says: "too large or too small"},
		{name: "of many digits and a suffix", body: limited(`"0.` + strings.Repeat("9", 20000) + `Ki"`), says: "too large or too small"},
		{name: "as YAML", media: YAML, body: "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, resources: {limits: {cpu: \"\\x31E-999999999\"}}}]}", says: "too large or too small"},
		{name: "a number in YAML, which is none that large", media: YAML, body: "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, resources: {limits: {cpu: 1E-999}}}]}"},
		{name: "as protobuf", media: Protobuf, body: half},
		{name: "as protobuf, too small", media: Protobuf, body: strings.ReplaceAll(half, "500m", "1E-9")},
		{name: "as protobuf, far too small", media: Protobuf, body: strings.Replace(encoded(func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("123456789012")} // of the same length
		}), "123456789012", "1E-999999999", 1), says: "too large or too small"},
		{name: "a name that looks like a number", body: podHead + `,"image":"1e12345/2e6789:3e99999"` + podTail},
		{name: "a commit, written short", body: strings.Replace(podHead, `"name":"p"`, `"name":"83e1234","labels":{"commit":"83e123456","c2":"1E-999999999"}`, 1) + `,"args":["` + strings.Repeat("3", 20000) + `"]` + podTail},
		{name: "beside a quantity that is one", body: strings.Replace(limited(`"1E-99999999"`), `"name":"p"`, `"name":"p","labels":{"commit":"83e123456"}`, 1), says: "1E-99999999 is too"},
		{name: "twice, of which the last is good", body: limited(`"1E-999999999","cpu":"1"`), says: "1E-999999999 is too"},
		{name: "in a field that is a pointer", body: podHead + `}],"volumes":[{"name":"v","emptyDir":{"sizeLimit":"1E-999999999"}}]}}`, says: "1E-999999999 is too"},
		{name: "a name in protobuf that looks like a number", media: Protobuf, body: encoded(func(p *corev1.Pod) {
			p.Name, p.Labels = "83e123456", map[string]string{"83e1234567": "83e1234567"}
			p.Spec.Containers[0].Name = "83e1234567"
		})},
		{name: "a text of numbers", body: podHead + `,"args":["1e99999 and 2e99999","` + strings.Repeat("9 ", 20000) + `"]` + podTail},
		{name: "many objects in lists", body: podHead + `,"env":[` + strings.Repeat(`{},`, maxListed) + `{}]` + podTail, says: "items may be in lists"},
		{name: "many as YAML", media: YAML, body: "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [" + strings.Repeat("{},", maxListed) + "{}]}", says: "items may be in lists"},
		{name: "many as protobuf", media: Protobuf, body: encoded(func(p *corev1.Pod) { p.Spec.Containers = make([]corev1.Container, 2*maxListed) }), says: "items may be in lists"},
		{name: "deep lists, of which the reader says so", body: podHead + `,"args":` + strings.Repeat("[", 2*maxListed), says: "exceeded max depth"},
		{name: "some", body: podHead + `,"env":[` + strings.Repeat(`{"name":"A"},`, 10000) + `{"name":"A"}]` + podTail},
		{name: "some as protobuf", media: Protobuf, body: encoded(func(p *corev1.Pod) {
			for i := range 10000 {
				p.Spec.Containers[0].Env = append(p.Spec.Containers[0].Env, corev1.EnvVar{Name: fmt.Sprint("A", i), Value: "a value of some length"})
			}
		})},
		{name: "YAML of many directives", media: YAML, body: strings.Repeat("%TAG !a! b\n", 1000) + "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}", says: "directives"},
		{name: "the same in UTF-16", media: YAML, body: "\xff\xfe" + strings.Repeat("%\x00T\x00A\x00G\x00 \x00!\x00a\x00!\x00 \x00b\x00\n\x00", 1000), says: "directives"},
		{name: "many texts", body: podHead + `,"args":[` + strings.Repeat(`"",`, maxListed) + `"{"]` + podTail, says: "items may be in lists"},
		{name: "fewer texts", body: podHead + `,"args":[` + strings.Repeat(`"{[,",`, maxListed/2) + `"{"]` + podTail},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := codec.Decode(Body{Bytes: []byte(c.body), ContentType: c.media}, corev1.SchemeGroupVersion.WithKind("Pod"), &corev1.Pod{}, Warn, nil)
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("got %.300v, want %q", err, c.says)
			}
		})
	}
}

func BenchmarkCheckJSON(b *testing.B) {
	owned := strings.TrimSuffix(strings.Repeat(`"k:{\"name\":\"SETTING\"}":{".":{},"f:name":{},"f:value":{}},`, 20), ",")
	env := strings.TrimSuffix(strings.Repeat(`{"name":"SETTING","value":"a value of common length"},`, 20), ",")
	body := []byte(`{"metadata":{"name":"p","managedFields":[{"fieldsV1":{` + owned + `}}]},"spec":{"containers":[{"name":"c","env":[` + env + `]}]}}`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := CheckJSON(body, &corev1.Pod{}); err != nil {
			b.Fatal(err)
		}
	}
}
