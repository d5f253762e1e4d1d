package apiserver

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// relayed is a request that is passed on.
type relayed struct {
	to        *url.URL
	transport http.RoundTripper
	// prefix is the path here that to stands for; "" for a stream, which has none.
	prefix string
}

// proxy passes the request on, and the answer back; after an upgrade, all that comes either way.
func (c *call) proxy(to relayed) error {
	ctx, cancel := c.untilStopped()
	defer cancel()
	var failed error
	p := &httputil.ReverseProxy{
		Transport: to.transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL, r.Out.Host = to.to, to.to.Host
			r.SetXForwarded()
			if to.prefix != "" {
				r.Out.Header.Set("X-Forwarded-Uri", r.In.URL.EscapedPath())
			}
			for name := range r.Out.Header {
				// Who asked is known here, and nobody else's business.
				if name == "Authorization" || strings.HasPrefix(name, "Impersonate-") {
					r.Out.Header.Del(name)
				}
			}
			protocols := r.Out.Header["Sec-Websocket-Protocol"] // may hold a token
			for i, line := range protocols {
				protocols[i] = withoutToken(line)
			}
		},
		FlushInterval: -1, // at once
		ModifyResponse: func(answer *http.Response) error {
			return to.redirect(answer.Header)
		},
		ErrorLog:     log.New(io.Discard, "", 0),
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err },
	}
	p.ServeHTTP(c.w, c.r.WithContext(ctx))
	switch {
	case failed == nil:
		return nil
	case c.r.Header.Get("Upgrade") != "" || to.prefix == "":
		return plain("error dialing backend: " + failed.Error())
	}
	return apierrors.NewServiceUnavailable("error trying to reach service: " + failed.Error())
}

// redirect makes a place where the asked sends a client one that leads back here.
func (to relayed) redirect(h http.Header) error {
	there, err := url.Parse(h.Get("Location"))
	if err != nil || to.prefix == "" || h.Get("Location") == "" || there.Host != "" && there.Host != to.to.Host || !strings.HasPrefix(there.Path, "/") {
		return err
	}
	here := url.URL{Path: to.prefix + there.Path, RawQuery: there.RawQuery, Fragment: there.Fragment}
	h.Set("Location", here.String())
	return nil
}

// withoutToken leaves out of a list of WebSocket protocols what is a credential.
func withoutToken(line string) string {
	var kept []string
	for protocol := range strings.SplitSeq(line, ",") {
		if protocol = strings.TrimSpace(protocol); !strings.HasPrefix(protocol, "base64url.bearer.authorization.k8s.io.") {
			kept = append(kept, protocol)
		}
	}
	return strings.Join(kept, ", ")
}

// relay passes on what is asked of a node, a pod or a service: [SCHEME:]NAME[:PORT].
func (c *call) relay() error {
	resource := strings.TrimSuffix(c.kind.Resource, "s")
	scheme, name, port, ok := utilnet.SplitSchemeNamePort(c.info.Name)
	if !ok {
		return apierrors.NewBadRequest(fmt.Sprintf("invalid %s request %q", resource, c.info.Name))
	}
	if err := c.connecting(c.proxyOptions()); err != nil {
		return err
	}
	var to relayed
	var err error
	switch c.kind.Resource {
	case "nodes":
		to, err = c.toNode(name, port)
	case "pods":
		to, err = c.toPod(scheme, name, port)
	default:
		to, err = c.toService(scheme, name, port)
	}
	if err != nil {
		return err
	}
	// What follows /proxy, as it was written.
	path := c.relayedPath()
	if path == "" && (c.r.Method == http.MethodGet || c.r.Method == http.MethodHead) {
		again := url.URL{Path: c.r.URL.Path + "/", RawQuery: c.r.URL.RawQuery}
		http.Redirect(c.w, c.r, again.RequestURI(), http.StatusMovedPermanently)
		return nil
	}
	if to.to.Path, err = url.PathUnescape(path); err != nil {
		return apierrors.NewBadRequest("the path is escaped wrongly")
	}
	to.to.RawPath, to.to.RawQuery = path, c.r.URL.RawQuery
	to.prefix = strings.TrimSuffix(c.r.URL.Path, to.to.Path)
	return c.proxy(to)
}

// proxyOptions are the parameters of a request that is relayed.
func (c *call) proxyOptions() runtime.Object {
	opts := c.sub.New()
	path := c.r.URL.Query().Get("path")
	if at := c.relayedPath(); at != "" {
		path = at
	}
	switch o := opts.(type) {
	case *corev1.NodeProxyOptions:
		o.Path = path
	case *corev1.PodProxyOptions:
		o.Path = path
	case *corev1.ServiceProxyOptions:
		o.Path = path
	}
	return opts
}

// relayedPath is what follows /api/v1/nodes/NAME/proxy or /api/v1/namespaces/NAMESPACE/RESOURCE/NAME/proxy, however a client escapes it.
func (c *call) relayedPath() string {
	segments := 5
	if c.kind.Namespaced {
		segments += 2
	}
	parts := strings.SplitN(strings.TrimPrefix(c.r.URL.EscapedPath(), "/"), "/", segments+1)
	if len(parts) <= segments {
		return ""
	}
	return "/" + parts[segments]
}

// toNode is the node's own API.
func (c *call) toNode(name, port string) (relayed, error) {
	at, err := c.network().kubeletOf(name)
	if err != nil {
		return relayed{}, err
	}
	if port != "" && port != at.port {
		return relayed{}, apierrors.NewBadRequest("address not allowed") // of a simulated node there is nothing else
	}
	return relayed{to: &url.URL{Scheme: "https", Host: at.address()}, transport: c.network().kubeletTransport(false)}, nil
}

// toPod is a port of a pod, the first that it has unless one is said.
// Source: k8s.io/kubernetes/pkg/registry/core/pod (ResourceLocation).
func (c *call) toPod(scheme, name, port string) (relayed, error) {
	pod, err := c.pod(name)
	if err != nil {
		return relayed{}, err
	}
	for _, container := range pod.Spec.Containers {
		if port == "" && len(container.Ports) > 0 {
			port = strconv.Itoa(int(container.Ports[0].ContainerPort))
		}
	}
	return c.podPort(scheme, pod, port)
}

func (c *call) podPort(scheme string, pod *corev1.Pod, port string) (relayed, error) {
	if ip, err := netip.ParseAddr(pod.Status.PodIP); err != nil || !ip.IsGlobalUnicast() {
		return relayed{}, apierrors.NewBadRequest("address not allowed")
	}
	if port == "" {
		port = map[bool]string{true: "443", false: "80"}[scheme == "https"]
	}
	if scheme == "" {
		scheme = "http"
	}
	return relayed{
		to:        &url.URL{Scheme: scheme, Host: net.JoinHostPort(pod.Status.PodIP, port)},
		transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.network().dialPod(ctx, pod, port) }},
	}, nil
}

// toService is a pod behind a service that is ready, any of them.
// Source: k8s.io/kubernetes/pkg/registry/core/service/storage (ResourceLocation).
func (c *call) toService(scheme, name, port string) (relayed, error) {
	if number, err := strconv.ParseInt(port, 10, 64); err == nil {
		service := c.network().service(c.info.Namespace, name)
		if service == nil {
			return relayed{}, apierrors.NewNotFound(corev1.Resource("services"), name)
		}
		if port, err = portName(service, number); err != nil {
			return relayed{}, err
		}
	}
	for e := range c.network().behind(c.r.Context(), c.info.Namespace, name, port) {
		if e.pod != nil { // only pods are reached, not whatever an address leads to
			return c.podPort(scheme, e.pod, e.port)
		}
	}
	return relayed{}, noEndpoints(name)
}
