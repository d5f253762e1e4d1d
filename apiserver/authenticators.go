package apiserver

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/apiserver/why"
	"coracle/apiserver/wire"
	"coracle/authn"
)

// Authenticators are the chain's strategies as objects: each can be switched off and on while the server runs. What is
// switched is not stored. Whoever has locked everybody out, themselves included, starts the server again.

// authenticators is the function for a verb on them.
func (c *call) authenticators() func(*call) error {
	switch c.info.Verb {
	case "get":
		return (*call).getAuthenticator
	case "list":
		return (*call).listAuthenticators
	case "update":
		return (*call).switchAuthenticator
	}
	return nil
}

func (c *call) findAuthenticator() (*why.Authenticator, error) {
	all := c.Authn.List()
	i := slices.IndexFunc(all, func(s authn.Switch) bool { return s.Name == c.info.Name })
	if i < 0 {
		return nil, apierrors.NewNotFound(c.kind.Qualified(), c.info.Name)
	}
	return why.NewAuthenticator(all[i].Name, all[i].On), nil
}

func (c *call) getAuthenticator() error {
	f, err := wire.Negotiate(c.r, c.offer())
	if err != nil {
		return err
	}
	a, err := c.findAuthenticator()
	if err != nil {
		return err
	}
	return c.sendObject(f, http.StatusOK, a)
}

func (c *call) listAuthenticators() error {
	f, err := wire.Negotiate(c.r, c.offer())
	if err != nil {
		return err
	}
	opts, err := listOptions(c.r)
	if err != nil {
		return err
	}
	match, err := c.matcher(opts.LabelSelector, opts.FieldSelector)
	if err != nil {
		return err
	}
	list := c.kind.NewList().(*why.AuthenticatorList)
	var objs []runtime.Object
	for _, s := range c.Authn.List() {
		a := why.NewAuthenticator(s.Name, s.On)
		if ok, err := match.object(c, a); err != nil || !ok {
			continue
		}
		objs, list.Items = append(objs, a), append(list.Items, *a)
	}
	if f.As == "" {
		c.send(c.w, f, http.StatusOK, list)
		return nil
	}
	return c.sendList(f, objs, metav1.ListMeta{})
}

// switchAuthenticator turns a strategy on or off for all requests that come from now on. Each request is answered by the
// chain as it was when it came, so that there is no moment at which nobody, or somebody else, is let in.
func (c *call) switchAuthenticator() error {
	f, err := wire.Negotiate(c.r, c.offer())
	if err != nil {
		return err
	}
	var opts metav1.UpdateOptions
	if err := decodeOptions(c.r.URL.Query(), &opts); err != nil {
		return err
	}
	want := &why.Authenticator{}
	if err := c.decode(want, c.kind.GroupVersionKind, opts.FieldValidation); err != nil {
		return err
	}
	if want.Name != c.info.Name {
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", want.Name, c.info.Name))
	}
	have, err := c.findAuthenticator()
	if err != nil {
		return err
	}
	if !want.Spec.Enabled && !want.Spec.Force && c.cameBy(have.Name) {
		return apierrors.NewForbidden(c.kind.Qualified(), have.Name, fmt.Errorf("it recognised you for this request, so that you would lock yourself out; set spec.force (--force) if that is meant, and start the server again to undo it"))
	}
	if have.Spec.Enabled != want.Spec.Enabled && !dryRun(opts.DryRun) {
		if err := c.Authn.Switch(have.Name, want.Spec.Enabled); err != nil {
			return err
		}
		have.Spec.Enabled = want.Spec.Enabled
		c.rec.Switched = have.Name + ": " + strings.ToLower(have.State())
		c.Log.Warn("an authenticator was switched", "name", have.Name, "enabled", have.Spec.Enabled, "by", userOf(c.r).GetName(), "id", c.rec.ID)
	}
	have.Spec.Enabled = want.Spec.Enabled
	return c.sendObject(f, http.StatusOK, have)
}

// cameBy tells whether that strategy recognised the caller. Acting as somebody else does not hide it.
func (c *call) cameBy(name string) bool {
	for _, asked := range c.rec.Authentication {
		if asked.Verdict == authn.Accepted.String() {
			return asked.Authenticator == name
		}
	}
	return false
}
