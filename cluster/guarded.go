package cluster

import (
	"context"
	"fmt"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"coracle/apiserver/catalog"
	"coracle/apiserver/registry"
)

const (
	guardPatience = 5 * time.Second // how long a start waits for what webhooks say of the system's objects
	guardRetry    = 5 * time.Second
)

// begin makes the system's objects. Where webhooks or policies of the cluster stand against that, the cluster starts without
// and it is tried again until they let it: whoever is to remove them needs a server.
func (c *Cluster) begin(ctx context.Context, kinds *catalog.Catalog, have *registry.Registry, bootstrap func(context.Context) error) error {
	guarded, err := guarded(ctx, kinds, have)
	if err != nil {
		return err
	}
	if !guarded {
		return bootstrap(ctx)
	}
	first, cancel := context.WithTimeout(ctx, guardPatience)
	defer cancel()
	if err = bootstrap(first); err == nil {
		return nil
	}
	c.config.Log.Error("the system's objects are not complete: webhooks or policies of this cluster stand against them; it is tried again until they do not", "error", err)
	c.parts.Go(func() {
		tick := time.NewTicker(guardRetry)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if bootstrap(ctx) == nil {
				c.config.Log.Info("the system's objects are complete")
				return
			}
		}
	})
	return nil
}

// guarded tells whether there are webhooks or policies.
func guarded(ctx context.Context, kinds *catalog.Catalog, have *registry.Registry) (bool, error) {
	for _, kind := range []string{
		"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "MutatingAdmissionPolicyBinding", "ValidatingAdmissionPolicyBinding",
	} {
		l, err := have.List(ctx, have.Prefix(kinds.ByKind(admissionregistrationv1.SchemeGroupVersion.WithKind(kind)), ""), 0, "", 1)
		if err != nil {
			return false, fmt.Errorf("list %ss: %w", kind, err)
		}
		if len(l.Entries) > 0 {
			return true, nil
		}
	}
	return false, nil
}
