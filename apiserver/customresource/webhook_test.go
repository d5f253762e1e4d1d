package customresource

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestConversionWebhook(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(*apiextensionsv1.ConversionReview, *unstructured.Unstructured)
		want   string // of the error
	}{
		"converts": {answer: func(_ *apiextensionsv1.ConversionReview, u *unstructured.Unstructured) {
			u.Object["spec"] = map[string]any{"half": int64(2)}
			u.SetLabels(map[string]string{"new": "label"})
			u.SetFinalizers([]string{"evil.example.com/keep"})
		}},
		"answers another question": {
			answer: func(r *apiextensionsv1.ConversionReview, _ *unstructured.Unstructured) { r.Response.UID = "other" },
			want:   `conversion webhook for example.com/v1, Kind=Thing failed: expected response.uid=`,
		},
		"says why it cannot": {
			answer: func(r *apiextensionsv1.ConversionReview, _ *unstructured.Unstructured) {
				r.Response.Result = metav1.Status{Status: metav1.StatusFailure, Message: "no way"}
			},
			want: "conversion webhook for example.com/v1, Kind=Thing failed: no way",
		},
		"stays in the old version": {
			answer: func(_ *apiextensionsv1.ConversionReview, u *unstructured.Unstructured) {
				u.SetAPIVersion("example.com/v1")
			},
			want: "invalid groupVersion (expected example.com/v2, received example.com/v1)",
		},
		"passes off another object": {
			answer: func(_ *apiextensionsv1.ConversionReview, u *unstructured.Unstructured) { u.SetName("admin") },
			want:   "must have the same name: a != admin",
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var review apiextensionsv1.ConversionReview
				u := &unstructured.Unstructured{}
				if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
					t.Error(err)
				} else if err := u.UnmarshalJSON(review.Request.Objects[0].Raw); err != nil {
					t.Error(err)
				}
				u.SetAPIVersion(review.Request.DesiredAPIVersion)
				review.Response = &apiextensionsv1.ConversionResponse{UID: review.Request.UID, Result: metav1.Status{Status: metav1.StatusSuccess}}
				tc.answer(&review, u)
				review.Request, review.Response.ConvertedObjects = nil, []runtime.RawExtension{{Object: u}}
				json.NewEncoder(w).Encode(&review)
			}))
			defer server.Close()
			ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
			hook := newWebhook(&apiextensionsv1.WebhookConversion{
				ClientConfig:             &apiextensionsv1.WebhookClientConfig{URL: new(server.URL), CABundle: ca},
				ConversionReviewVersions: []string{"v1"},
			}, nil, time.Now)
			in := empty(schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Thing"})
			in.SetName("a")
			out, err := hook.convert(in, schema.GroupVersion{Group: "example.com", Version: "v2"})
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got  %v\nwant %s", err, tc.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n, _, _ := unstructured.NestedInt64(out.Object, "spec", "half"); n != 2 || out.GetLabels()["new"] != "label" {
				t.Errorf("what the webhook may change is lost: %v", out.Object)
			}
			if len(out.GetFinalizers()) > 0 {
				t.Errorf("the webhook has set finalizers: %v", out.GetFinalizers())
			}
		})
	}
}

func TestConversionWebhookIsAskedOverATrustedConnectionAlone(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("an object was sent to a stranger") }))
	defer server.Close()
	hook := newWebhook(&apiextensionsv1.WebhookConversion{
		ClientConfig: &apiextensionsv1.WebhookClientConfig{URL: new(server.URL)}, ConversionReviewVersions: []string{"v1"},
	}, nil, time.Now)
	in := empty(schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Thing"})
	if _, err := hook.convert(in, schema.GroupVersion{Group: "example.com", Version: "v2"}); err == nil {
		t.Error("no error")
	}
}

func TestConversionWebhookBehindAService(t *testing.T) {
	asked := ""
	dial := func(_ context.Context, namespace, name string, port int32) (net.Conn, error) {
		asked = fmt.Sprint(namespace, "/", name, ":", port)
		return nil, errors.New("nobody is there")
	}
	hook := newWebhook(&apiextensionsv1.WebhookConversion{
		ClientConfig:             &apiextensionsv1.WebhookClientConfig{Service: &apiextensionsv1.ServiceReference{Namespace: "blue", Name: "hook", Path: new("/convert"), Port: new(int32(8443))}},
		ConversionReviewVersions: []string{"v1"},
	}, dial, time.Now)
	in := empty(schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Thing"})
	_, err := hook.convert(in, schema.GroupVersion{Group: "example.com", Version: "v2"})
	want := `conversion webhook for example.com/v1, Kind=Thing failed: Post "https://hook.blue.svc:8443/convert?timeout=30s": nobody is there`
	if err == nil || err.Error() != want || asked != "blue/hook:8443" {
		t.Errorf("asked %s, got %v, want %s", asked, err, want)
	}
}
