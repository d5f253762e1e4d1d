package customresource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"coracle/apiserver/callout"
)

// webhookPatience is how long a conversion may take.
const webhookPatience = 30 * time.Second

// webhook converts objects by asking somebody else, over TLS.
// Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#webhook-conversion
type webhook struct {
	client *callout.Client
	broken error // why nobody can be asked
}

func newWebhook(c *apiextensionsv1.WebhookConversion, dial callout.DialService, now func() time.Time) *webhook {
	if !slices.Contains(c.ConversionReviewVersions, "v1") {
		return &webhook{broken: errors.New("no supported conversion review versions")}
	}
	target := callout.Target{CABundle: c.ClientConfig.CABundle}
	if u := c.ClientConfig.URL; u != nil {
		target.URL = *u
	} else if s := c.ClientConfig.Service; s != nil {
		target.Service = &callout.Service{Namespace: s.Namespace, Name: s.Name}
		if s.Path != nil {
			target.Service.Path = *s.Path
		}
		if s.Port != nil {
			target.Service.Port = *s.Port
		}
	}
	return &webhook{client: callout.New(target, dial, now)}
}

func (w *webhook) convert(in *unstructured.Unstructured, want schema.GroupVersion) (*unstructured.Unstructured, error) {
	out, err := w.ask(in, want)
	if err != nil {
		// Not wrapped: a Status that the webhook's server answered with is not ours.
		return nil, fmt.Errorf("conversion webhook for %s failed: %v", in.GroupVersionKind(), err)
	}
	switch gvk := out.GroupVersionKind(); {
	case gvk.GroupVersion() != want:
		return nil, fmt.Errorf("conversion webhook for %s returned invalid object at index 0: invalid groupVersion (expected %s, received %s)", in.GroupVersionKind(), want, gvk.GroupVersion())
	case gvk.Kind != in.GetKind():
		return nil, fmt.Errorf("conversion webhook for %s returned invalid object at index 0: invalid kind (expected %s, received %s)", in.GroupVersionKind(), in.GetKind(), gvk.Kind)
	}
	if err := sameObject(in, out); err != nil {
		return nil, fmt.Errorf("conversion webhook for %s returned invalid object: %w", in.GroupVersionKind(), err)
	}
	restoreMetadata(in, out)
	return out, nil
}

func (w *webhook) ask(in *unstructured.Unstructured, want schema.GroupVersion) (*unstructured.Unstructured, error) {
	if w.broken != nil {
		return nil, w.broken
	}
	uid := types.UID(uuid.NewString())
	question, err := json.Marshal(&apiextensionsv1.ConversionReview{
		TypeMeta: metav1.TypeMeta{Kind: "ConversionReview", APIVersion: apiextensionsv1.SchemeGroupVersion.String()},
		Request:  &apiextensionsv1.ConversionRequest{UID: uid, DesiredAPIVersion: want.String(), Objects: []runtime.RawExtension{{Object: in}}},
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), webhookPatience)
	defer cancel()
	body, err := w.client.Post(ctx, question)
	if err != nil {
		return nil, err
	}
	return answered(body, uid)
}

// answered reads the webhook's answer to the question with a UID.
func answered(body []byte, uid types.UID) (*unstructured.Unstructured, error) {
	var review apiextensionsv1.ConversionReview
	if err := json.Unmarshal(body, &review); err != nil {
		return nil, err
	}
	gvk, r := apiextensionsv1.SchemeGroupVersion.WithKind("ConversionReview"), review.Response
	switch {
	case review.GroupVersionKind() != gvk:
		return nil, fmt.Errorf("expected webhook response of %s, got %s", gvk, review.GroupVersionKind())
	case r == nil:
		return nil, errors.New("no response provided")
	case r.UID != uid:
		return nil, fmt.Errorf("expected response.uid=%q, got %q", uid, r.UID)
	case r.Result.Status != metav1.StatusSuccess && r.Result.Message != "":
		return nil, errors.New(r.Result.Message)
	case r.Result.Status != metav1.StatusSuccess:
		return nil, fmt.Errorf("response.result.status was '%s', not 'Success'", r.Result.Status)
	case len(r.ConvertedObjects) != 1:
		return nil, fmt.Errorf("returned %d objects, expected 1", len(r.ConvertedObjects))
	}
	out := &unstructured.Unstructured{}
	return out, out.UnmarshalJSON(r.ConvertedObjects[0].Raw)
}

// sameObject refuses an answer that is about another object.
func sameObject(in, out *unstructured.Unstructured) error {
	for _, f := range []struct {
		what   string
		before string
		after  string
	}{
		{"name", in.GetName(), out.GetName()},
		{"namespace", in.GetNamespace(), out.GetNamespace()},
		{"UID", string(in.GetUID()), string(out.GetUID())},
	} {
		if f.before != f.after {
			return fmt.Errorf("must have the same %s: %s != %s", f.what, f.before, f.after)
		}
	}
	return nil
}

// restoreMetadata undoes what the webhook may not change: all metadata but labels and annotations.
func restoreMetadata(in, out *unstructured.Unstructured) {
	labels, annotations := out.GetLabels(), out.GetAnnotations()
	if m, ok := in.Object["metadata"]; ok {
		out.Object["metadata"] = runtime.DeepCopyJSONValue(m)
	}
	if !reflect.DeepEqual(labels, in.GetLabels()) {
		out.SetLabels(labels)
	}
	if !reflect.DeepEqual(annotations, in.GetAnnotations()) {
		out.SetAnnotations(annotations)
	}
}
