package e2e

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// TestClients_InEveryFormat drives the server with client-go in JSON and in protobuf: create, get, list, patch,
// an informer (which begins with a WatchList), and a metadata-only informer's list.
func TestClients_InEveryFormat(t *testing.T) {
	s := newServer(t)
	if err := s.up("--nodes=0"); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]rest.ContentConfig{
		"json":     {ContentType: "application/json", AcceptContentTypes: "application/json"},
		"protobuf": {ContentType: "application/vnd.kubernetes.protobuf", AcceptContentTypes: "application/vnd.kubernetes.protobuf,application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			config := rest.CopyConfig(s.client(t))
			config.ContentConfig = content
			var watchLists, lists atomic.Int32
			config.Wrap(func(next http.RoundTripper) http.RoundTripper {
				return roundTrip(func(r *http.Request) (*http.Response, error) {
					switch query := r.URL.Query(); {
					case query.Get("sendInitialEvents") == "true":
						watchLists.Add(1)
					case r.Method == http.MethodGet && query.Get("watch") == "":
						lists.Add(1)
					}
					return next.RoundTrip(r)
				})
			})
			client := kubernetes.NewForConfigOrDie(config)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()

			maps := client.CoreV1().ConfigMaps("default")
			first := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "first-" + name}, Data: map[string]string{"a": "1"}}
			if _, err := maps.Create(ctx, first, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace("default"))
			seen := make(chan *corev1.ConfigMap, 100)
			informer := factory.Core().V1().ConfigMaps().Informer()
			informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
				AddFunc:    func(obj any) { seen <- obj.(*corev1.ConfigMap) },
				UpdateFunc: func(_, obj any) { seen <- obj.(*corev1.ConfigMap) },
			})
			factory.Start(ctx.Done())
			defer factory.Shutdown()
			defer cancel()
			if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
				t.Fatal("the informer does not sync")
			}
			if watchLists.Load() != 1 || lists.Load() != 0 {
				t.Errorf("the informer synced with %d WatchLists and %d lists, want one and none", watchLists.Load(), lists.Load())
			}
			second := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "second-" + name}}
			if _, err := maps.Create(ctx, second, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			second.Data = map[string]string{"b": "2"}
			if _, err := maps.Update(ctx, second, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"first-" + name: "1", "second-" + name: "2"}
			for deadline := time.After(patience); len(want) > 0; {
				select {
				case cm := <-seen:
					if v := want[cm.Name]; v != "" && (cm.Data["a"] == v || cm.Data["b"] == v) {
						delete(want, cm.Name)
					}
				case <-deadline:
					t.Fatalf("the informer was not told of %v", want)
				}
			}
			list, err := maps.List(ctx, metav1.ListOptions{})
			if err != nil || len(list.Items) < 2 || list.Items[0].Kind != "" {
				t.Errorf("list: %v, %d items", err, len(list.Items))
			}
			partial, err := metadata.NewForConfigOrDie(config).Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace("default").List(ctx, metav1.ListOptions{})
			if err != nil || len(partial.Items) != len(list.Items) {
				t.Errorf("metadata: %v, %v", err, partial)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
