package customresource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"coracle/storage/cache"
)

// Store is what the cleaner looks into.
type Store interface {
	// Under lists what is kept of a resource.
	Under(ctx context.Context, gr schema.GroupResource) ([]*cache.Entry, error)
	// Remove removes what is kept, without asking anybody.
	Remove(ctx context.Context, e *cache.Entry) error
}

// Cleaner does what definitions need after they have been written: objects go before their definition does, and names
// that become free go to those who wait for them. It writes through the API, under the server's own name.
type Cleaner struct {
	Definitions *Definitions
	Store       Store
	Client      rest.Interface
}

// again is how soon a definition is looked at again whose objects are still there: finalizers take their time.
const again = time.Second

// Run works until ctx ends.
func (c *Cleaner) Run(ctx context.Context) error {
	for {
		var retry <-chan time.Time
		if c.round(ctx) {
			retry = time.After(again)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-c.Definitions.changed:
		case <-retry:
		}
	}
}

// round looks at all definitions once, and tells whether some have to be looked at again without being changed.
func (c *Cleaner) round(ctx context.Context) (unfinished bool) {
	for _, d := range c.Definitions.snapshot() {
		var err error
		switch {
		case d.crd.DeletionTimestamp != nil && slices.Contains(d.crd.Finalizers, apiextensionsv1.CustomResourceCleanupFinalizer):
			err = c.clean(ctx, d)
		case d.crd.DeletionTimestamp == nil && !named(d.crd):
			err = c.rename(ctx, d)
		}
		switch {
		case errors.Is(err, errRemaining):
			unfinished = true
		case err != nil && ctx.Err() == nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err):
			c.Definitions.log.Warn("a CustomResourceDefinition could not be brought to its next state", "name", d.crd.Name, "error", err)
			unfinished = true
		}
	}
	return unfinished
}

// rename gives a definition names that have become free.
func (c *Cleaner) rename(ctx context.Context, d *definition) error {
	crd := d.crd.DeepCopy()
	acceptNames(crd, c.Definitions.others(crd), c.Definitions.now())
	if before := d.crd.Status; sameJSON(before, crd.Status) {
		return nil
	}
	return c.patch(ctx, crd, "status", map[string]any{"status": map[string]any{
		"acceptedNames": crd.Status.AcceptedNames, "conditions": crd.Status.Conditions,
	}})
}

var errRemaining = errors.New("there are objects left")

// clean deletes all objects of a definition that is being deleted, and then lets it go.
// Source: k8s.io/apiextensions-apiserver/pkg/controller/finalizer.
func (c *Cleaner) clean(ctx context.Context, d *definition) error {
	now := c.Definitions.now()
	crd := d.crd.DeepCopy()
	progress := terminating(apiextensionsv1.ConditionTrue, "InstanceDeletionInProgress", "CustomResource deletion is in progress")
	if have := condition(crd, apiextensionsv1.Terminating); have == nil || have.Reason != progress.Reason {
		setCondition(crd, progress, now)
		return c.patch(ctx, crd, "status", map[string]any{"status": map[string]any{"conditions": crd.Status.Conditions}})
	}
	switch {
	case c.Definitions.claims(d): // its place in the store is somebody else's
	case !isTrue(crd, apiextensionsv1.Established): // nobody could make an object
	default:
		// Rows that let objects be created have been replaced; wait for those who still use one.
		d.writing.Lock()
		d.writing.Unlock() //nolint:staticcheck // the lock is taken for what it waits for
		if err := c.deleteObjects(ctx, d); err != nil {
			return err
		}
	}
	left := slices.DeleteFunc(slices.Clone(crd.Finalizers), func(f string) bool { return f == apiextensionsv1.CustomResourceCleanupFinalizer })
	return c.patch(ctx, crd, "", map[string]any{"metadata": map[string]any{"finalizers": left}})
}

// deleteObjects deletes what there is, namespace by namespace.
func (c *Cleaner) deleteObjects(ctx context.Context, d *definition) error {
	entries, err := c.Store.Under(ctx, d.resource())
	if err != nil || len(entries) == 0 {
		return err
	}
	if len(d.rows) == 0 { // no version is served, so nobody can be asked through one
		for _, e := range entries {
			if err := c.Store.Remove(ctx, e); err != nil {
				return err
			}
		}
		return nil
	}
	row, namespaces := d.rows[0], map[string]bool{}
	for _, e := range entries {
		namespace := ""
		if row.Namespaced {
			parts := strings.Split(e.Key, "/")
			namespace = parts[len(parts)-2]
		}
		if namespaces[namespace] {
			continue
		}
		namespaces[namespace] = true
		path := "/apis/" + row.GroupVersion().String()
		if namespace != "" {
			path += "/namespaces/" + namespace
		}
		if err := c.Client.Delete().AbsPath(path + "/" + row.Resource).Do(ctx).Error(); err != nil {
			return fmt.Errorf("delete the objects: %w", err)
		}
	}
	if entries, err = c.Store.Under(ctx, d.resource()); err == nil && len(entries) > 0 {
		return errRemaining
	}
	return err
}

// patch changes a definition in the state that was looked at.
func (c *Cleaner) patch(ctx context.Context, crd *apiextensionsv1.CustomResourceDefinition, subresource string, change map[string]any) error {
	metadata, _ := change["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		change["metadata"] = metadata
	}
	metadata["resourceVersion"], metadata["uid"] = crd.ResourceVersion, crd.UID
	b, err := json.Marshal(change)
	if err != nil {
		return err
	}
	path := "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + crd.Name
	if subresource != "" {
		path += "/" + subresource
	}
	return c.Client.Patch(types.MergePatchType).AbsPath(path).Body(b).Do(ctx).Error()
}

// claims tells whether the place where a definition's objects would be kept is that of a built-in resource.
func (d *Definitions) claims(def *definition) bool { return d.shadows(def) }

func sameJSON(a, b any) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(x) == string(y)
}
