package cluster

import (
	"context"

	"k8s.io/client-go/kubernetes"

	"coracle/apiserver/registry"
	"coracle/manifests"
)

// flowControl makes the priority levels, and then the FlowSchemas that name them, that every cluster has, where they are
// missing. Those that are there stay as they are: what they say has no effect here.
// Source: k8s.io/kubernetes/pkg/registry/flowcontrol/rest.
func flowControl(ctx context.Context, client kubernetes.Interface, have *registry.Registry) error {
	levels, schemas, err := manifests.FlowControl()
	if err != nil {
		return err
	}
	for _, step := range []struct {
		resource string
		objects  []manifests.Object
	}{{"prioritylevelconfigurations", levels}, {"flowschemas", schemas}} {
		if err := together(step.objects, func(o manifests.Object) error {
			if have.Lookup(o.GroupVersionKind(), "", o.Name) != nil {
				return nil
			}
			return client.CoreV1().RESTClient().Post().AbsPath("/apis/flowcontrol.apiserver.k8s.io/v1/"+step.resource).
				Param("fieldManager", "api-priority-and-fairness-config-producer-v1").
				SetHeader("Content-Type", "application/json").Body([]byte(o.JSON)).Do(ctx).Error()
		}); err != nil {
			return err
		}
	}
	return nil
}
