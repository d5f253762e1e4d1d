package catalog

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateProbes checks a container's probes, which init containers have only if they keep running.
func validateProbes(c *corev1.Container, at *field.Path) errorList {
	var errs errorList
	if p := c.LivenessProbe; p != nil {
		errs = append(errs, validateProbe(p, child(at, "livenessProbe"))...)
		errs = append(errs, succeedsOnce(p, child(at, "livenessProbe"))...)
	}
	if p := c.ReadinessProbe; p != nil {
		errs = append(errs, validateProbe(p, child(at, "readinessProbe"))...)
		if s := p.TerminationGracePeriodSeconds; s != nil {
			errs = append(errs, field.Invalid(child(at, "readinessProbe", "terminationGracePeriodSeconds"), *s, "must not be set for readinessProbes"))
		}
	}
	if p := c.StartupProbe; p != nil {
		errs = append(errs, validateProbe(p, child(at, "startupProbe"))...)
		errs = append(errs, succeedsOnce(p, child(at, "startupProbe"))...)
	}
	return errs
}

func succeedsOnce(p *corev1.Probe, at *field.Path) errorList {
	if p.SuccessThreshold != 1 {
		return errorList{field.Invalid(child(at, "successThreshold"), p.SuccessThreshold, "must be 1")}
	}
	return nil
}

func validateProbe(p *corev1.Probe, at *field.Path) errorList {
	errs := validateAction(handler{p.Exec, p.HTTPGet, p.TCPSocket, p.GRPC, nil}, nil, at)
	errs = append(errs, nonNegative(child(at, "initialDelaySeconds"), p.InitialDelaySeconds)...)
	errs = append(errs, nonNegative(child(at, "timeoutSeconds"), p.TimeoutSeconds)...)
	errs = append(errs, nonNegative(child(at, "periodSeconds"), p.PeriodSeconds)...)
	errs = append(errs, nonNegative(child(at, "successThreshold"), p.SuccessThreshold)...)
	errs = append(errs, nonNegative(child(at, "failureThreshold"), p.FailureThreshold)...)
	if s := p.TerminationGracePeriodSeconds; s != nil && *s <= 0 {
		errs = append(errs, field.Invalid(child(at, "terminationGracePeriodSeconds"), *s, "must be greater than 0"))
	}
	return errs
}

// validateLifecycle checks what is done when a container starts and stops.
func validateLifecycle(l *corev1.Lifecycle, gracePeriod *int64, at *field.Path) errorList {
	if l == nil {
		return nil
	}
	var errs errorList
	if h := l.PostStart; h != nil {
		errs = append(errs, validateAction(handler{h.Exec, h.HTTPGet, h.TCPSocket, nil, h.Sleep}, gracePeriod, child(at, "postStart"))...)
	}
	if h := l.PreStop; h != nil {
		errs = append(errs, validateAction(handler{h.Exec, h.HTTPGet, h.TCPSocket, nil, h.Sleep}, gracePeriod, child(at, "preStop"))...)
	}
	return errs
}

// handler is what a probe or a hook does; exactly one of these.
type handler struct {
	exec  *corev1.ExecAction
	http  *corev1.HTTPGetAction
	tcp   *corev1.TCPSocketAction
	grpc  *corev1.GRPCAction
	sleep *corev1.SleepAction
}

func validateAction(h handler, gracePeriod *int64, at *field.Path) errorList {
	var errs errorList
	found := false
	one := func(set bool, name string, check func(at *field.Path) errorList) {
		switch {
		case !set:
		case found:
			errs = append(errs, field.Forbidden(child(at, name), "may not specify more than 1 handler type"))
		default:
			found = true
			errs = append(errs, check(child(at, name))...)
		}
	}
	one(h.exec != nil, "exec", func(at *field.Path) errorList {
		if len(h.exec.Command) == 0 {
			return errorList{field.Required(child(at, "command"), "")}
		}
		return nil
	})
	one(h.http != nil, "httpGet", func(at *field.Path) errorList { return validateHTTPGet(h.http, at) })
	one(h.tcp != nil, "tcpSocket", func(at *field.Path) errorList { return portNumberOrName(child(at, "port"), h.tcp.Port) })
	one(h.grpc != nil, "grpc", func(at *field.Path) errorList {
		return portNumberOrName(child(at, "port"), intstr.FromInt32(h.grpc.Port))
	})
	one(h.sleep != nil, "sleep", func(at *field.Path) errorList {
		if s := h.sleep.Seconds; gracePeriod != nil && (s < 0 || s > *gracePeriod) {
			return errorList{field.Invalid(at, s, fmt.Sprintf("must be non-negative and less than terminationGracePeriodSeconds (%d)", *gracePeriod))}
		}
		return nil
	})
	if !found {
		errs = append(errs, field.Required(at, "must specify a handler type"))
	}
	return errs
}

func validateHTTPGet(a *corev1.HTTPGetAction, at *field.Path) errorList {
	errs := append(needed(child(at, "path"), a.Path), portNumberOrName(child(at, "port"), a.Port)...)
	errs = append(errs, oneOf(child(at, "scheme"), a.Scheme, corev1.URISchemeHTTP, corev1.URISchemeHTTPS)...)
	for _, h := range a.HTTPHeaders {
		errs = append(errs, invalidEach(child(at, "httpHeaders"), h.Name, validation.IsHTTPHeaderName(h.Name))...)
	}
	return errs
}
