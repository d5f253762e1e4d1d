package catalog

import (
	authenticationv1 "k8s.io/api/authentication/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/fields"
)

// coreKinds are the rows of the group without a name.
func coreKinds() []*Kind {
	gv := corev1.SchemeGroupVersion
	binding := row[corev1.Binding, corev1.PodList](gv, Kind{Resource: "bindings", Namespaced: true, Verbs: []string{"create"}})
	return []*Kind{
		binding,
		row[corev1.ComponentStatus, corev1.ComponentStatusList](gv, Kind{
			Resource: "componentstatuses", ShortNames: []string{"cs"}, Verbs: []string{"get", "list"},
		}),
		row[corev1.ConfigMap, corev1.ConfigMapList](gv, Kind{
			Resource: "configmaps", ShortNames: []string{"cm"}, Namespaced: true,
			Strategy: Strategy{
				Validate:            check(validateConfigMap),
				ValidateUpdate:      checkChange(validateConfigMapChange),
				AllowCreateOnUpdate: false,
			},
			Table: configMapTable(),
		}),
		row[corev1.Endpoints, corev1.EndpointsList](gv, Kind{
			Resource: "endpoints", Singular: "endpoints", ShortNames: []string{"ep"}, Namespaced: true,
			Strategy: Strategy{Default: on(defaultEndpoints), AllowCreateOnUpdate: true},
			Table:    endpointsTable(),
		}),
		row[corev1.Event, corev1.EventList](gv, Kind{
			Resource: "events", ShortNames: []string{"ev"}, Namespaced: true,
			Strategy:   Strategy{Validate: check(validateEvent), AllowCreateOnUpdate: true},
			Table:      eventTable(),
			FieldNames: eventFieldNames(),
			Fields:     fieldsOf(eventFields),
		}),
		row[corev1.LimitRange, corev1.LimitRangeList](gv, Kind{
			Resource: "limitranges", ShortNames: []string{"limits"}, Namespaced: true,
			Strategy: Strategy{AllowCreateOnUpdate: true},
		}),
		row[corev1.Namespace, corev1.NamespaceList](gv, Kind{
			Resource: "namespaces", ShortNames: []string{"ns"},
			Verbs:         []string{"create", "delete", "get", "list", "patch", "update", "watch"},
			Subresources:  []Subresource{{Name: "finalize", Verbs: []string{"update"}}, {Name: "status"}},
			ReturnDeleted: true,
			Strategy: Strategy{
				Default:          on(defaultNamespace),
				PrepareForCreate: on(prepareNewNamespace),
				PrepareForUpdate: onChange(func(ns, old *corev1.Namespace) { ns.Spec.Finalizers = old.Spec.Finalizers }),
				ValidateName:     validation.ValidateNamespaceName,
			},
			Table:      namespaceTable(),
			FieldNames: []string{"status.phase"},
			Fields: fieldsOf(func(ns *corev1.Namespace) fields.Set {
				return fields.Set{"status.phase": string(ns.Status.Phase)}
			}),
		}),
		row[corev1.Node, corev1.NodeList](gv, Kind{
			Resource: "nodes", ShortNames: []string{"no"},
			Subresources: []Subresource{proxy("NodeProxyOptions", func() Subresource {
				return Subresource{New: maker[corev1.NodeProxyOptions](gv.WithKind("NodeProxyOptions"))}
			}), {Name: "status"}},
			Strategy:   Strategy{Default: on(defaultNode), Validate: check(validateNode)},
			Table:      nodeTable(),
			FieldNames: []string{"spec.unschedulable"},
			Fields: fieldsOf(func(n *corev1.Node) fields.Set {
				return fields.Set{"spec.unschedulable": boolean(n.Spec.Unschedulable)}
			}),
		}),
		row[corev1.PersistentVolumeClaim, corev1.PersistentVolumeClaimList](gv, Kind{
			Resource: "persistentvolumeclaims", ShortNames: []string{"pvc"}, Namespaced: true,
			Subresources: onlyStatus(), ReturnDeleted: true,
			Strategy: Strategy{Default: on(defaultClaim)},
			Table:    claimTable(),
		}),
		row[corev1.PersistentVolume, corev1.PersistentVolumeList](gv, Kind{
			Resource: "persistentvolumes", ShortNames: []string{"pv"}, Subresources: onlyStatus(), ReturnDeleted: true,
			Strategy: Strategy{Default: on(defaultVolume)},
			Table:    volumeTable(),
		}),
		row[corev1.Pod, corev1.PodList](gv, Kind{
			Resource: "pods", ShortNames: []string{"po"}, Categories: inAll(), Namespaced: true, ReturnDeleted: true,
			Subresources: podSubresources(),
			Strategy: Strategy{
				Default:          on(defaultPod),
				PrepareForCreate: on(prepareNewPod),
				PrepareForUpdate: onChange(func(p, old *corev1.Pod) { p.Status = old.Status }),
				Validate:         check(validatePod),
				ValidateUpdate:   checkChange(validatePodChange),
				Generation:       true,
				GracePeriod:      podGracePeriod,
			},
			Table:      podTable(),
			FieldNames: podFieldNames(),
			Fields:     fieldsOf(podFields),
		}),
		row[corev1.PodTemplate, corev1.PodTemplateList](gv, Kind{
			Resource: "podtemplates", Namespaced: true, ReturnDeleted: true,
			Strategy: Strategy{Default: on(func(t *corev1.PodTemplate) { defaultPodTemplateSpec(&t.Template) }), Generation: true},
		}),
		row[corev1.ReplicationController, corev1.ReplicationControllerList](gv, Kind{
			Resource: "replicationcontrollers", ShortNames: []string{"rc"}, Categories: inAll(), Namespaced: true,
			Subresources: []Subresource{{
				Name: "scale", Kind: autoscalingv1.SchemeGroupVersion.WithKind("Scale"),
				New: maker[autoscalingv1.Scale](autoscalingv1.SchemeGroupVersion.WithKind("Scale")),
			}, {Name: "status"}},
			OrphanByDefault: true,
			Strategy: Strategy{
				Default:          on(defaultReplicationController),
				PrepareForCreate: on(func(r *corev1.ReplicationController) { r.Status = corev1.ReplicationControllerStatus{} }),
				Generation:       true,
			},
			Table:      replicationControllerTable(),
			FieldNames: []string{"status.replicas"},
			Fields: fieldsOf(func(r *corev1.ReplicationController) fields.Set {
				return fields.Set{"status.replicas": decimal(r.Status.Replicas)}
			}),
		}),
		row[corev1.ResourceQuota, corev1.ResourceQuotaList](gv, Kind{
			Resource: "resourcequotas", ShortNames: []string{"quota"}, Namespaced: true, Subresources: onlyStatus(), ReturnDeleted: true,
			Strategy: Strategy{PrepareForCreate: on(func(q *corev1.ResourceQuota) { q.Status = corev1.ResourceQuotaStatus{} }), AllowCreateOnUpdate: true},
		}),
		row[corev1.Secret, corev1.SecretList](gv, Kind{
			Resource: "secrets", Namespaced: true,
			Strategy: Strategy{
				Default:          on(defaultSecret),
				PrepareForCreate: on(mergeStringData),
				PrepareForUpdate: onChange(func(s, _ *corev1.Secret) { mergeStringData(s) }),
				Validate:         check(validateSecret),
				ValidateUpdate:   checkChange(validateSecretChange),
			},
			Table:      secretTable(),
			FieldNames: []string{"type"},
			Fields:     fieldsOf(func(s *corev1.Secret) fields.Set { return fields.Set{"type": string(s.Type)} }),
		}),
		row[corev1.ServiceAccount, corev1.ServiceAccountList](gv, Kind{
			Resource: "serviceaccounts", ShortNames: []string{"sa"}, Namespaced: true, ReturnDeleted: true,
			Subresources: []Subresource{{
				Name: "token", Verbs: []string{"create"},
				Kind: authenticationv1.SchemeGroupVersion.WithKind("TokenRequest"),
				New:  maker[authenticationv1.TokenRequest](authenticationv1.SchemeGroupVersion.WithKind("TokenRequest")),
			}},
			Strategy: Strategy{
				PrepareForCreate: on(func(sa *corev1.ServiceAccount) { namesOnly(sa.Secrets) }),
				PrepareForUpdate: onChange(func(sa, _ *corev1.ServiceAccount) { namesOnly(sa.Secrets) }),
			},
			Table: Table{Columns: nameAndAge(), Cells: nameAndAgeCells},
		}),
		row[corev1.Service, corev1.ServiceList](gv, Kind{
			Resource: "services", ShortNames: []string{"svc"}, Categories: inAll(), Namespaced: true, ReturnDeleted: true,
			Subresources: []Subresource{proxy("ServiceProxyOptions", func() Subresource {
				return Subresource{New: maker[corev1.ServiceProxyOptions](gv.WithKind("ServiceProxyOptions"))}
			}), {Name: "status"}},
			Strategy: Strategy{
				Default:          on(defaultService),
				PrepareForCreate: on(func(s *corev1.Service) { s.Status = corev1.ServiceStatus{} }),
				Validate:         check(validateService),
				ValidateUpdate:   checkChange(validateServiceChange),
				ValidateName:     validation.NameIsDNS1035Label,
			},
			Table:      serviceTable(),
			FieldNames: []string{"spec.clusterIP", "spec.type"},
			Fields: fieldsOf(func(s *corev1.Service) fields.Set {
				return fields.Set{"spec.clusterIP": s.Spec.ClusterIP, "spec.type": string(s.Spec.Type)}
			}),
		}),
	}
}

// proxy is the subresource that passes requests on to what the object stands for.
func proxy(kind string, with func() Subresource) Subresource {
	s := with()
	s.Name, s.Kind = "proxy", corev1.SchemeGroupVersion.WithKind(kind)
	s.Verbs = []string{"create", "delete", "get", "patch", "update"}
	return s
}

func podSubresources() []Subresource {
	gv := corev1.SchemeGroupVersion
	stream := []string{"create", "get"}
	return []Subresource{
		{Name: "attach", Verbs: stream, Kind: gv.WithKind("PodAttachOptions"), New: maker[corev1.PodAttachOptions](gv.WithKind("PodAttachOptions"))},
		{Name: "binding", Verbs: []string{"create"}, Kind: gv.WithKind("Binding"), New: maker[corev1.Binding](gv.WithKind("Binding"))},
		{Name: "ephemeralcontainers"},
		{Name: "eviction", Verbs: []string{"create"}, Kind: policyv1.SchemeGroupVersion.WithKind("Eviction"), New: maker[policyv1.Eviction](policyv1.SchemeGroupVersion.WithKind("Eviction"))},
		{Name: "exec", Verbs: stream, Kind: gv.WithKind("PodExecOptions"), New: maker[corev1.PodExecOptions](gv.WithKind("PodExecOptions"))},
		{Name: "log", Verbs: []string{"get"}},
		{Name: "portforward", Verbs: stream, Kind: gv.WithKind("PodPortForwardOptions"), New: maker[corev1.PodPortForwardOptions](gv.WithKind("PodPortForwardOptions"))},
		proxy("PodProxyOptions", func() Subresource {
			return Subresource{New: maker[corev1.PodProxyOptions](gv.WithKind("PodProxyOptions"))}
		}),
		{Name: "resize"},
		{Name: "status"},
	}
}

func boolean(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// namesOnly: an account's secrets are references by name.
func namesOnly(refs []corev1.ObjectReference) {
	for i, r := range refs {
		refs[i] = corev1.ObjectReference{Name: r.Name}
	}
}
