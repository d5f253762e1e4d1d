package apiserver

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"coracle/apiserver/admission"
	"coracle/apiserver/catalog"
)

// Of a pod, its containers are on a node: what is asked of them is passed on to its kubelet.

// pod is the one that the path names.
func (c *call) pod(name string) (*corev1.Pod, error) {
	pod := c.Registry.Pod(c.info.Namespace, name)
	if pod == nil {
		return nil, apierrors.NewNotFound(corev1.Resource("pods"), name)
	}
	return pod, nil
}

// containerOf is the container that is meant.
// Source: k8s.io/kubernetes/pkg/registry/core/pod (validateContainer).
func containerOf(pod *corev1.Pod, name string) (string, error) {
	names := catalog.ContainerNames(&pod.Spec)
	switch {
	case name == "" && len(pod.Spec.Containers) == 1:
		return pod.Spec.Containers[0].Name, nil
	case name == "":
		return "", apierrors.NewBadRequest(fmt.Sprintf("a container name must be specified for pod %s, choose one of: %s", pod.Name, names))
	case !slices.Contains(names, name):
		return "", apierrors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s", name, pod.Name))
	}
	return name, nil
}

// logOptions reads the parameters of a log.
func logOptions(q url.Values) (*corev1.PodLogOptions, error) {
	p := &parameters{q: q}
	o := &corev1.PodLogOptions{
		Container: q.Get("container"), Follow: p.flag("follow"), Previous: p.flag("previous"), Timestamps: p.flag("timestamps"),
		InsecureSkipTLSVerifyBackend: p.flag("insecureSkipTLSVerifyBackend"),
		SinceSeconds:                 p.number("sinceSeconds"), SinceTime: p.time("sinceTime"), TailLines: p.number("tailLines"), LimitBytes: p.number("limitBytes"),
	}
	if q.Has("stream") {
		o.Stream = new(q.Get("stream"))
	}
	return o, p.err
}

// logs answers with what a container wrote.
func (c *call) logs() error {
	o, err := logOptions(c.r.URL.Query())
	if err != nil {
		return err
	}
	if errs := validateLogOptions(o); len(errs) > 0 {
		return apierrors.NewInvalid(schema.GroupKind{Kind: "PodLogOptions"}, c.info.Name, errs)
	}
	pod, err := c.pod(c.info.Name)
	if err != nil {
		return err
	}
	container, err := containerOf(pod, o.Container)
	if err != nil {
		return err
	}
	if pod.Spec.NodeName == "" {
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	c.w.Header().Set("Content-Type", "text/plain")
	at, err := c.network().kubeletOf(pod.Spec.NodeName)
	if err != nil {
		return err
	}
	to := url.URL{
		Scheme: "https", Host: at.address(), Path: "/containerLogs/" + pod.Namespace + "/" + pod.Name + "/" + container, RawQuery: logParameters(o).Encode(),
	}
	ctx, cancel := c.untilStopped()
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return err
	}
	answer, err := c.network().kubeletTransport(o.InsecureSkipTLSVerifyBackend).RoundTrip(request)
	if err != nil {
		return plain((&url.Error{Op: "Get", URL: to.String(), Err: err}).Error())
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return c.rejected(answer)
	}
	c.w.WriteHeader(http.StatusOK)
	out := io.Writer(c.w)
	if o.Follow {
		out = &atOnce{c.w, http.NewResponseController(c.w)}
	}
	io.Copy(out, answer.Body) // it ends when the log does, or the client goes
	return nil
}

// maxRejection bounds what a node's refusal may say, in bytes.
const maxRejection = 50000

// rejected is a node's refusal, as an error of our own.
// Source: k8s.io/apiserver/pkg/registry/generic/rest (GenericHttpResponseChecker).
func (c *call) rejected(answer *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxRejection))
	if err != nil {
		return apierrors.NewInternalError(err)
	}
	text := string(body)
	switch answer.StatusCode {
	case http.StatusInternalServerError:
		return apierrors.NewInternalError(fmt.Errorf("%s", text))
	case http.StatusBadRequest:
		return apierrors.NewBadRequest(strings.TrimSuffix(text, "\n"))
	}
	return apierrors.NewGenericServerResponse(answer.StatusCode, "", schema.GroupResource{Resource: "pods/log"}, c.info.Name, text, 0, false)
}

// validateLogOptions is upstream's ValidatePodLogOptions (k8s.io/kubernetes/pkg/apis/core/validation).
func validateLogOptions(o *corev1.PodLogOptions) (errs field.ErrorList) {
	if o.TailLines != nil && *o.TailLines < 0 {
		errs = append(errs, field.Invalid(field.NewPath("tailLines"), *o.TailLines, "must be greater than or equal to 0"))
	}
	if o.LimitBytes != nil && *o.LimitBytes < 1 {
		errs = append(errs, field.Invalid(field.NewPath("limitBytes"), *o.LimitBytes, "must be greater than 0"))
	}
	switch {
	case o.SinceSeconds != nil && o.SinceTime != nil:
		errs = append(errs, field.Forbidden(field.NewPath(""), "at most one of `sinceTime` or `sinceSeconds` may be specified"))
	case o.SinceSeconds != nil && *o.SinceSeconds < 1:
		errs = append(errs, field.Invalid(field.NewPath("sinceSeconds"), *o.SinceSeconds, "must be greater than 0"))
	}
	if o.Stream != nil { // which the feature gate PodLogsQuerySplitStreams, off in Kubernetes, would allow
		errs = append(errs, field.Forbidden(field.NewPath("stream"), "may not be specified"))
	}
	return errs
}

func logParameters(o *corev1.PodLogOptions) url.Values {
	q := url.Values{"stream": {corev1.LogStreamAll}}
	for name, set := range map[string]bool{"follow": o.Follow, "previous": o.Previous, "timestamps": o.Timestamps} {
		if set {
			q.Set(name, "true")
		}
	}
	for name, n := range map[string]*int64{"sinceSeconds": o.SinceSeconds, "tailLines": o.TailLines, "limitBytes": o.LimitBytes} {
		if n != nil {
			q.Set(name, strconv.FormatInt(*n, 10))
		}
	}
	if o.SinceTime != nil {
		q.Set("sinceTime", o.SinceTime.Format(time.RFC3339))
	}
	return q
}

// atOnce sends what is written without waiting for more.
type atOnce struct {
	io.Writer
	rc *http.ResponseController
}

func (a *atOnce) Write(p []byte) (int, error) {
	n, err := a.Writer.Write(p)
	if err == nil {
		err = a.rc.Flush()
	}
	return n, err
}

// untilStopped ends with the request, or when the server is stopped.
func (c *call) untilStopped() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(c.r.Context())
	go func() {
		select {
		case <-c.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// connect passes exec, attach and portforward on.
func (c *call) connect() error {
	if err := c.mayConnect(); err != nil {
		return err
	}
	opts, err := c.streamOptions()
	if err != nil {
		return err
	}
	if err := c.connecting(opts); err != nil {
		return err
	}
	container, q := kubeletParameters(opts)
	pod, err := c.pod(c.info.Name)
	if err != nil {
		return err
	}
	path := "/portForward/" + pod.Namespace + "/" + pod.Name
	if c.sub.Name != "portforward" {
		if container, err = containerOf(pod, container); err != nil {
			return err
		}
		path = "/" + c.sub.Name + "/" + pod.Namespace + "/" + pod.Name + "/" + container
	}
	if pod.Spec.NodeName == "" {
		return apierrors.NewBadRequest(fmt.Sprintf("pod %s does not have a host assigned", pod.Name))
	}
	at, err := c.network().kubeletOf(pod.Spec.NodeName)
	if err != nil {
		return err
	}
	if c.r.Header.Get("Upgrade") == "" {
		return apierrors.NewBadRequest("Upgrade request required")
	}
	return c.proxy(relayed{to: &url.URL{Scheme: "https", Host: at.address(), Path: path, RawQuery: q.Encode()}, transport: c.network().kubeletTransport(false)})
}

// mayConnect asks for the permission to create: a browser's WebSocket comes by GET, and is no smaller thing for that.
// Source: k8s.io/kubernetes/pkg/registry/core/pod/rest (AuthorizePodWebsocketUpgradeCreatePermission).
func (c *call) mayConnect() error {
	if c.info.Verb == "create" {
		return nil
	}
	a := attributesOf(c.r)
	a.Verb = "create"
	answer := c.Authz.Authorize(c.r.Context(), a)
	if answer.Allowed() {
		return nil
	}
	if answer.Err != nil {
		return answer.Err
	}
	gr := schema.GroupResource{Group: c.info.APIGroup, Resource: c.info.Resource}
	return apierrors.NewForbidden(gr, c.info.Name, fmt.Errorf("%s", answer.Reason()))
}

// streamOptions reads the parameters of a stream.
func (c *call) streamOptions() (runtime.Object, error) {
	given := c.r.URL.Query()
	p := &parameters{q: given}
	switch o := c.sub.New().(type) {
	case *corev1.PodPortForwardOptions:
		for _, port := range given["ports"] {
			n, err := strconv.ParseInt(port, 10, 32)
			if err != nil {
				return nil, apierrors.NewBadRequest(err.Error())
			}
			o.Ports = append(o.Ports, int32(n))
		}
		return o, nil
	case *corev1.PodAttachOptions:
		o.Stdin, o.Stdout, o.Stderr, o.TTY, o.Container = p.flag("stdin"), p.flag("stdout"), p.flag("stderr"), p.flag("tty"), given.Get("container")
		return o, nil
	case *corev1.PodExecOptions:
		o.Stdin, o.Stdout, o.Stderr, o.TTY, o.Container = p.flag("stdin"), p.flag("stdout"), p.flag("stderr"), p.flag("tty"), given.Get("container")
		o.Command = given["command"]
		return o, nil
	default:
		return nil, apierrors.NewInternalError(fmt.Errorf("%T are no parameters of a stream", o))
	}
}

// kubeletParameters are those of a stream as a kubelet wants them.
func kubeletParameters(opts runtime.Object) (container string, q url.Values) {
	q = url.Values{}
	flags := func(stdin, stdout, stderr, tty bool) {
		for name, set := range map[string]bool{"input": stdin, "output": stdout, "error": stderr, "tty": tty} {
			if set {
				q.Set(name, "1")
			}
		}
	}
	switch o := opts.(type) {
	case *corev1.PodPortForwardOptions:
		var ports []string
		for _, n := range o.Ports {
			ports = append(ports, strconv.Itoa(int(n)))
		}
		if len(ports) > 0 {
			q.Set("port", strings.Join(ports, ","))
		}
	case *corev1.PodAttachOptions:
		flags(o.Stdin, o.Stdout, o.Stderr, o.TTY)
		container = o.Container
	case *corev1.PodExecOptions:
		flags(o.Stdin, o.Stdout, o.Stderr, o.TTY)
		q["command"], container = o.Command, o.Container
	}
	return container, q
}

// connecting asks admission, which may change the parameters, or refuse.
func (c *call) connecting(opts runtime.Object) error {
	a := c.attributes(admission.Connect, nil, false)
	a.Object = opts
	if err := c.Admission.Mutate(c.r.Context(), a); err != nil {
		return err
	}
	return c.Admission.Validate(c.r.Context(), a)
}
