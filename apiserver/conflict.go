package apiserver

import (
	"errors"
	"fmt"
	"path"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"coracle/storage"
)

// optimisticLock is upstream's sentence for a version that is no longer the newest.
const optimisticLock = "the object has been modified; please apply your changes to the latest version and try again"

// retry tells whether somebody else's write came first: one that names no version is made again.
func retry(err error) bool { return errors.Is(err, storage.ErrConflict) }

// conflict words the store's errors for the request's object.
func (c *call) conflict(err error) error {
	switch {
	case errors.Is(err, storage.ErrConflict):
		return modified(c)
	case errors.Is(err, storage.ErrNotFound):
		return apierrors.NewNotFound(c.kind.Qualified(), c.info.Name)
	}
	return err
}

func modified(c *call) error {
	return apierrors.NewConflict(c.kind.Qualified(), c.info.Name, errors.New(optimisticLock))
}

// preconditionFailed names the key as upstream's storage does: below /registry, unless it was only asked whether.
func preconditionFailed(c *call, dryRun bool, why string) error {
	root := "/registry"
	if dryRun {
		root = "/"
	}
	key := path.Join(root, c.kind.Resource, c.info.Namespace, c.info.Name)
	return apierrors.NewConflict(c.kind.Qualified(), c.info.Name, fmt.Errorf("StorageError: invalid object, Code: 4, Key: %s, ResourceVersion: 0, AdditionalErrorMsg: %s", key, why))
}
