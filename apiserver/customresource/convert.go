package customresource

import (
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// load makes an object of a version from what is stored: brought into the schema of the version in which it is
// stored, defaulted by it, and converted. The stored object is shared and stays as it is.
func (d *definition) load(obj runtime.Object, want *version) (runtime.Object, error) {
	shared, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("a %s is stored as %T, which is no custom resource", d.names.Kind, obj)
	}
	u := shared.DeepCopy()
	if stored := d.versions[u.GroupVersionKind().Version]; stored != nil {
		if _, err := stored.coerce(u, coercion{stored: true}); err != nil {
			return nil, err
		}
		stored.fillIn(u)
	}
	return d.convert(u, want)
}

// save makes what is to be stored of an object.
func (d *definition) save(obj runtime.Object) (runtime.Object, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("%T is no custom resource", obj)
	}
	storage := d.versions[d.storage]
	if u.GroupVersionKind().Version == d.storage {
		if _, err := storage.coerce(u, coercion{}); err != nil {
			return nil, err
		}
		return u, nil
	}
	return d.convert(u.DeepCopy(), storage)
}

// convert brings an object, which it may change, into another version.
func (d *definition) convert(u *unstructured.Unstructured, want *version) (*unstructured.Unstructured, error) {
	gv := schema.GroupVersion{Group: d.group, Version: want.Name}
	if u.GetAPIVersion() == gv.String() {
		return u, nil
	}
	if d.webhook != nil {
		var err error
		if u, err = d.webhook.convert(u, gv); err != nil {
			return nil, err
		}
	}
	u.SetAPIVersion(gv.String())
	_, err := want.coerce(u, coercion{})
	return u, err
}

// convertor is the definition's conversion as field managers want it, whose entries may speak of other versions.
type convertor struct{ *definition }

func (c convertor) ConvertToVersion(in runtime.Object, target runtime.GroupVersioner) (runtime.Object, error) {
	u, ok := in.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("%T is no custom resource", in)
	}
	gvk, ok := target.KindForGroupVersionKinds([]schema.GroupVersionKind{u.GroupVersionKind()})
	if !ok {
		return nil, fmt.Errorf("%s has no form in %s", u.GroupVersionKind(), target)
	}
	want := c.versions[gvk.Version]
	if want == nil {
		return nil, runtime.NewNotRegisteredErrForKind(c.crd.Name, gvk)
	}
	return c.convert(u.DeepCopy(), want)
}

func (convertor) Convert(in, _, _ any) error {
	return fmt.Errorf("%T is not converted in place", in)
}

func (convertor) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}

// isWebhook tells whether a definition's objects are converted by somebody else.
func isWebhook(c *apiextensionsv1.CustomResourceConversion) bool {
	return c != nil && c.Strategy == apiextensionsv1.WebhookConverter && c.Webhook != nil && c.Webhook.ClientConfig != nil
}
