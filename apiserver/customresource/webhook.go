package customresource

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
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
)

const (
	webhookPatience  = 30 * time.Second
	webhookMaxAnswer = 8 << 20
)

// webhook converts objects by asking somebody else, over TLS.
// Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#webhook-conversion
type webhook struct {
	url    string
	client *http.Client
	broken error // why nobody can be asked
}

func newWebhook(c *apiextensionsv1.WebhookConversion) *webhook {
	w := &webhook{}
	if c.ClientConfig.URL == nil {
		w.broken = errors.New("the webhook is a Service, and no Service leads to a process here: give its url instead")
		return w
	}
	if !slices.Contains(c.ConversionReviewVersions, "v1") {
		w.broken = errors.New("no supported conversion review versions")
		return w
	}
	w.url = *c.ClientConfig.URL
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute}
	if ca := bytes.TrimSpace(c.ClientConfig.CABundle); len(ca) > 0 {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(ca) {
			w.broken = errors.New("the webhook's caBundle holds no certificate")
			return w
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	w.client = &http.Client{
		Transport: transport, Timeout: webhookPatience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return w
}

func (w *webhook) convert(in *unstructured.Unstructured, want schema.GroupVersion) (*unstructured.Unstructured, error) {
	out, err := w.ask(in, want)
	if err != nil {
		return nil, fmt.Errorf("conversion webhook for %s failed: %w", in.GroupVersionKind(), err)
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
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, webhookMaxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > webhookMaxAnswer:
		return nil, fmt.Errorf("the answer is larger than %d bytes", webhookMaxAnswer)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the server answered %s", resp.Status)
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
