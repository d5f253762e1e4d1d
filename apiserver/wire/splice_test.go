package wire

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coracle/apiserver/wire/typedjson"
)

func TestSplice_PutsTheVersionWhereKubernetesHasIt(t *testing.T) {
	for name, c := range map[string]struct{ stored, want string }{
		"behind the uid": {
			`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","uid":"u","labels":{"x":"y"}},"spec":{}}`,
			`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","uid":"u","resourceVersion":"42","labels":{"x":"y"}},"spec":{}}`,
		},
		"first, without a uid":      {`{"metadata":{"name":"a"}}`, `{"metadata":{"resourceVersion":"42","name":"a"}}`},
		"alone, in empty metadata":  {`{"metadata":{}}`, `{"metadata":{"resourceVersion":"42"}}`},
		"data comes before it":      {`{"data":{"metadata":{"uid":"no"},"q":"\"}{"},"metadata":{"uid":"u"}}`, `{"data":{"metadata":{"uid":"no"},"q":"\"}{"},"metadata":{"uid":"u","resourceVersion":"42"}}`},
		"an annotation called uid":  {`{"metadata":{"annotations":{"uid":"x"},"uid":"u"}}`, `{"metadata":{"annotations":{"uid":"x"},"uid":"u","resourceVersion":"42"}}`},
		"numbers, lists, nil, true": {`{"a":[1,{"b":2}],"c":null,"d":true,"metadata":{"generation":1,"uid":"u"}}`, `{"a":[1,{"b":2}],"c":null,"d":true,"metadata":{"generation":1,"uid":"u","resourceVersion":"42"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Splice([]byte(c.stored), 42)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, bad := range []string{``, `{`, `[]`, `{"metadata":1}`, `{"spec":{}}`, `{"metadata"`} {
		if got, err := Splice([]byte(bad), 42); err == nil {
			t.Errorf("%q becomes %q", bad, got)
		}
	}
}

func TestSplice_GivesTheBytesThatEncodingGives(t *testing.T) {
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "blue", UID: "u-1", Generation: 3, Annotations: map[string]string{"a": `"}{\`}},
	}
	stored, err := new(Codec).Stored(pod)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Splice(stored, 7)
	if err != nil {
		t.Fatal(err)
	}
	pod.ResourceVersion = "7"
	want, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

// FuzzSplice: no bytes make it panic, and of an object that was encoded it makes one that says the version.
func FuzzSplice(f *testing.F) {
	f.Add([]byte(`{"metadata":{"uid":"u"}}`), "k", "v")
	f.Add([]byte(`{"a":"\`), `"uid":"`, `}`)
	f.Fuzz(func(t *testing.T, raw []byte, key, value string) {
		Splice(raw, 1)
		stored, err := json.Marshal(map[string]any{
			"data":     map[string]string{key: value},
			"metadata": map[string]any{"annotations": map[string]string{key: value}, "name": value, "uid": "u"},
		})
		if err != nil {
			return
		}
		spliced, err := Splice(stored, 99)
		if err != nil {
			t.Fatalf("%s: %v", stored, err)
		}
		var got struct{ Metadata metav1.ObjectMeta }
		if err := json.Unmarshal(spliced, &got); err != nil || got.Metadata.ResourceVersion != "99" {
			t.Errorf("%s: %v", spliced, err)
		}
	})
}

func TestBehindText(t *testing.T) {
	for text, want := range map[string]int{
		`""`: 2, `"a"b`: 3, `"\""x`: 4, `"\\"x"`: 4, `"\\\"" "`: 6, `"\"\"",""`: 6, `"`: 1, `"a`: 2, `"\"`: 3, `"\`: 2, `"\\`: 3, `"a\\\\"\"`: 7,
	} {
		if got := typedjson.BehindText([]byte(text), 0); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
		if got := typedjson.BehindText([]byte(`\`+text), 1); got != want+1 {
			t.Errorf(`\%s: %d, want %d`, text, got, want+1)
		}
	}
}
