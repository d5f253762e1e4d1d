package apiserver

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/apiserver/wire"
	"coracle/storage/cache"
)

// get answers one object. The bytes are those that were stored, unless another form is asked for.
func (c *call) get() error {
	f, err := wire.Negotiate(c.r, c.offer())
	if err != nil {
		return err
	}
	var opts metav1.GetOptions
	if err := decodeOptions(c.r.URL.Query(), &opts); err != nil {
		return err
	}
	if err := c.reach(opts.ResourceVersion); err != nil {
		return err
	}
	e, err := c.Registry.Get(c.kind, c.info.Namespace, c.info.Name)
	if err != nil {
		return err
	}
	return c.sendEntry(f, http.StatusOK, e)
}

// internalPackage is the Go package that upstream's messages name for the kind.
func (c *call) internalPackage() string {
	group, _, _ := strings.Cut(c.kind.Group, ".")
	return cmp.Or(group, "core")
}

// sendEntry answers with a stored object.
func (c *call) sendEntry(f wire.Format, code int, e *cache.Entry) error {
	if f.As == "" && f.Media != wire.Protobuf && c.kind.FromStored == nil {
		if err := auditBytes(c.w, e.Body); err != nil {
			return err
		}
		b, err := wire.Present(e.Body, f)
		if err != nil {
			return err
		}
		c.sendBytes(c.w, f, code, b)
		return nil
	}
	obj, err := c.Registry.Object(c.kind, e)
	if err != nil {
		return err
	}
	return c.sendObject(f, code, obj)
}

// sendObject answers with an object, as a table or metadata alone where the client prefers that.
func (c *call) sendObject(f wire.Format, code int, obj runtime.Object) error {
	switch f.As {
	case "Table":
		t, err := c.table(f, []runtime.Object{obj}, metav1.ListMeta{ResourceVersion: versionOf(obj)})
		if err != nil {
			return err
		}
		c.send(c.w, f, code, t)
	case "PartialObjectMetadata":
		p, err := c.partial(f, obj)
		if err != nil {
			return err
		}
		c.send(c.w, f, code, p)
	case "PartialObjectMetadataList":
		return notConvertible(fmt.Sprintf("you requested PartialObjectMetadataList, but the requested object is not a list (*%s.%s)", c.internalPackage(), c.kind.Kind))
	default:
		c.send(c.w, f, code, obj)
	}
	return nil
}
