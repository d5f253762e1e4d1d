package policystatus

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/loop"
)

// Controller keeps the status of ValidatingAdmissionPolicies.
type Controller struct {
	server   Server
	served   Discovery
	informer cache.SharedIndexInformer
	log      *slog.Logger
	loop     *loop.Loop[string] // names of policies
}

// New makes a controller.
func New(content metadata.Interface, server Server, served Discovery, log *slog.Logger) *Controller {
	c := &Controller{server: server, served: served, log: log}
	c.loop = loop.New("validatingadmissionpolicy-status", log, c.reconcile)
	c.informer = loop.WatchMetadata(c.loop, content, admissionregistrationv1.SchemeGroupVersion.WithResource("validatingadmissionpolicies"),
		func(policy *metav1.PartialObjectMetadata) { c.loop.Add(policy.Name) })
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	return loop.RunAll(ctx, func(ctx context.Context) error { c.informer.RunWithContext(ctx); return nil },
		func(ctx context.Context) error { return c.loop.Run(ctx, 1) })
}

func (c *Controller) reconcile(ctx context.Context, name string) error {
	path := "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/" + name
	body, err := c.server.Get(ctx, path)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var policy admissionregistrationv1.ValidatingAdmissionPolicy
	if err := json.Unmarshal(body, &policy); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if policy.Generation <= policy.Status.ObservedGeneration {
		return nil
	}
	warnings, err := c.check(ctx, &policy.Spec)
	if err != nil {
		return err
	}
	body, err = json.Marshal(applied{policy.APIVersion, policy.Kind, metav1.ObjectMeta{Name: name}, admissionregistrationv1.ValidatingAdmissionPolicyStatus{
		ObservedGeneration: policy.Generation, TypeChecking: &admissionregistrationv1.TypeChecking{ExpressionWarnings: warnings},
	}})
	if err != nil {
		return err
	}
	if err := c.server.Apply(ctx, path+"/status", "validatingadmissionpolicy-status", body); !apierrors.IsNotFound(err) {
		return err
	}
	return nil // deleted meanwhile: to apply a status makes no object
}

// applied is as much of a policy as the controller owns.
type applied struct {
	APIVersion string                                                  `json:"apiVersion"`
	Kind       string                                                  `json:"kind"`
	Metadata   metav1.ObjectMeta                                       `json:"metadata"`
	Status     admissionregistrationv1.ValidatingAdmissionPolicyStatus `json:"status"`
}
