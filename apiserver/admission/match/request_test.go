package match

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"coracle/apiserver/admission"
	"coracle/apiserver/catalog"
)

func TestRequest_LeavesWhatIsSharedAlone(t *testing.T) {
	k := catalog.New(catalog.Builtin()).ByKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	old := &corev1.ConfigMap{}
	r := &Request{A: &admission.Attributes{Kind: k, Old: old}}
	s, err := r.In(k)
	if err != nil {
		t.Fatal(err)
	}
	if old.Kind != "" || s.Old.GetObjectKind().GroupVersionKind().Kind != "ConfigMap" || s.Object != nil {
		t.Errorf("shared %+v, shown %+v", old.TypeMeta, s)
	}
}
