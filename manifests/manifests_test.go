package manifests

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write policy.json.gz from rbac/*.yaml")

// Upstream's default policy as kube-apiserver v1.37.2 serves it when it has just started on an empty etcd:
// how many objects of each kind, and the digest of their canonical form (see canonical).
const (
	upstreamDigest = "87c21918494d4d4ec10801c376a001b17b36f555a72771f5fc4dfb309d1da85a"
	upstreamCounts = "73 ClusterRole, 54 ClusterRoleBinding, 7 Role, 7 RoleBinding"
)

func TestPolicy_IsWhatTheYAMLSays(t *testing.T) {
	got := fromYAML(t)
	if *update {
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		z.Write(got)
		z.Close()
		if err := os.WriteFile("policy.json.gz", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := policyJSON()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), string(have)); diff != "" {
		t.Errorf("policy.json.gz is not made from rbac/*.yaml; run go test ./manifests -update (-yaml +json):\n%s", diff)
	}
}

func TestPolicy_IsUpstreams(t *testing.T) {
	objs, err := Policy()
	if err != nil {
		t.Fatal(err)
	}
	objs = slices.DeleteFunc(objs, func(o runtime.Object) bool { return added(o) })
	counts := map[string]int{}
	var lines []string
	for _, o := range objs {
		counts[o.GetObjectKind().GroupVersionKind().Kind]++
		lines = append(lines, canonical(t, o))
	}
	got := fmt.Sprintf("%d ClusterRole, %d ClusterRoleBinding, %d Role, %d RoleBinding",
		counts["ClusterRole"], counts["ClusterRoleBinding"], counts["Role"], counts["RoleBinding"])
	if got != upstreamCounts {
		t.Errorf("there are %s, want %s", got, upstreamCounts)
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	if digest := hex.EncodeToString(sum[:]); digest != upstreamDigest {
		t.Errorf("digest is %s, want %s; canonical form:\n%s", digest, upstreamDigest, strings.Join(lines, "\n"))
	}
}

func TestPolicy_RolesComeBeforeTheirBindings(t *testing.T) {
	objs, err := Policy()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, o := range objs {
		switch o := o.(type) {
		case *rbacv1.ClusterRole:
			seen["ClusterRole/"+o.Name] = true
		case *rbacv1.Role:
			seen["Role/"+o.Name+"/"+o.Namespace] = true
		case *rbacv1.ClusterRoleBinding:
			if !seen["ClusterRole/"+o.RoleRef.Name] {
				t.Errorf("ClusterRoleBinding %s comes before its role %s", o.Name, o.RoleRef.Name)
			}
		case *rbacv1.RoleBinding:
			if !seen["Role/"+o.RoleRef.Name+"/"+o.Namespace] {
				t.Errorf("RoleBinding %s comes before its role %s", o.Name, o.RoleRef.Name)
			}
		}
	}
}

// canonical is one line per object: what identifies it, its default labels and annotations, what it grants.
func canonical(t *testing.T, o runtime.Object) string {
	m, err := meta.Accessor(o)
	if err != nil {
		t.Fatal(err)
	}
	var content any
	switch o := o.(type) {
	case *rbacv1.ClusterRole:
		content = []any{o.Rules, o.AggregationRule}
	case *rbacv1.Role:
		content = []any{o.Rules}
	case *rbacv1.ClusterRoleBinding:
		content = []any{o.RoleRef, o.Subjects}
	case *rbacv1.RoleBinding:
		content = []any{o.RoleRef, o.Subjects}
	}
	line, err := json.Marshal([]any{o.GetObjectKind().GroupVersionKind().Kind, m.GetNamespace(), m.GetName(), m.GetLabels(), m.GetAnnotations(), content})
	if err != nil {
		t.Fatal(err)
	}
	// no rules and no subjects are the same as none mentioned
	return strings.NewReplacer("[[],", "[null,", ",[]]", ",null]").Replace(string(line))
}

// fromYAML makes the policy's JSON: one object per line, so that differences can be read.
func fromYAML(t *testing.T) []byte {
	files, err := filepath.Glob("rbac/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	lines := map[string][]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, doc := range strings.Split(string(text), "\n---\n")[1:] {
			kind, line, err := object(t, []byte(doc))
			if err != nil {
				t.Fatalf("%s, object %d: %v", file, i+1, err)
			}
			lines[kind] = append(lines[kind], line)
		}
	}
	var fields []string
	for _, kind := range []string{"clusterRole", "role", "clusterRoleBinding", "roleBinding"} {
		fields = append(fields, fmt.Sprintf("%q:[\n%s\n]", kind+"s", strings.Join(lines[strings.ToUpper(kind[:1])+kind[1:]], ",\n")))
	}
	return []byte("{" + strings.Join(fields, ",\n") + "}\n")
}

// object reads one manifest strictly and writes it as a line of JSON.
func object(t *testing.T, doc []byte) (kind, line string, err error) {
	var typed metav1.TypeMeta
	if err := yaml.Unmarshal(doc, &typed); err != nil {
		return "", "", err
	}
	kinds := map[string]runtime.Object{"ClusterRole": &rbacv1.ClusterRole{}, "Role": &rbacv1.Role{},
		"ClusterRoleBinding": &rbacv1.ClusterRoleBinding{}, "RoleBinding": &rbacv1.RoleBinding{}}
	obj := kinds[typed.Kind]
	if obj == nil {
		return "", "", fmt.Errorf("kind %q", typed.Kind)
	}
	if err := yaml.UnmarshalStrict(doc, obj); err != nil {
		return "", "", err
	}
	markDefault(t, obj)
	text, err := json.Marshal(obj)
	return typed.Kind, string(text), err
}

// added tells what kube-apiserver does not have of itself.
func added(o runtime.Object) bool {
	return strings.HasPrefix(name(o), "kubeadm:") || strings.HasPrefix(name(o), "coracle:")
}

// markDefault adds what marks upstream's defaults, and only those.
func markDefault(t *testing.T, o runtime.Object) {
	if added(o) {
		return
	}
	m, err := meta.Accessor(o)
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{"kubernetes.io/bootstrapping": "rbac-defaults"}
	for k, v := range m.GetLabels() {
		labels[k] = v
	}
	m.SetLabels(labels)
	m.SetAnnotations(map[string]string{rbacv1.AutoUpdateAnnotationKey: "true"})
}

func name(o runtime.Object) string {
	m, err := meta.Accessor(o)
	if err != nil {
		return ""
	}
	return m.GetName()
}

func BenchmarkPolicy(b *testing.B) {
	for b.Loop() {
		if _, err := Policy(); err != nil {
			b.Fatal(err)
		}
	}
}
