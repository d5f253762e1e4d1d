package main

import (
	"fmt"
	"maps"
	"slices"
)

// some keeps of an object's members those that are always there, and a few others.
func (g *generator) some(members map[string]any, always ...string) map[string]any {
	for _, name := range slices.Sorted(maps.Keys(members)) { // in an order that does not change
		if !slices.Contains(always, name) && g.IntN(4) > 0 {
			delete(members, name)
		}
	}
	return members
}

func (g *generator) object(apiVersion, kind string, spec map[string]any) map[string]any {
	return map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": g.metadata(), "spec": spec}
}

func labelled(app string) map[string]any { return map[string]any{"app": app} }

func (g *generator) selector(app string) map[string]any {
	if g.IntN(4) > 0 {
		return map[string]any{"matchLabels": labelled(app)}
	}
	return map[string]any{"matchExpressions": []any{map[string]any{
		"key": "app", "operator": pick(g, "In", "NotIn", "Exists", "DoesNotExist"), "values": pick[any](g, []any{app}, []any{"a", "b"}, []any{}),
	}}}
}

// template is that of pods, as restart wants it.
func (g *generator) template(app, restart string) map[string]any {
	pod := g.pod()
	spec := pod["spec"].(map[string]any)
	if g.IntN(8) > 0 {
		spec["restartPolicy"] = restart
	}
	meta := pod["metadata"].(map[string]any)
	meta["labels"] = labelled(app)
	return map[string]any{"metadata": meta, "spec": spec}
}

// share is a number, or a part of all.
func (g *generator) share() any { return pick[any](g, 0, 1, 3, "0%", "25%", "100%", "150%", "x", -1) }

func (g *generator) deployment() map[string]any {
	app := pick(g, "a", "b")
	return g.object("apps/v1", "Deployment", g.some(map[string]any{
		"selector": g.selector(app), "template": g.template(pick(g, app, app, app, "b"), "Always"), "replicas": g.IntN(4),
		"minReadySeconds": g.IntN(3), "paused": g.IntN(2) == 0, "progressDeadlineSeconds": g.IntN(5), "revisionHistoryLimit": g.IntN(3),
		"strategy": g.some(map[string]any{
			"type": pick(g, "Recreate", "RollingUpdate", "odd"), "rollingUpdate": g.some(map[string]any{"maxSurge": g.share(), "maxUnavailable": g.share()}),
		}),
	}, "selector", "template"))
}

func (g *generator) statefulSet() map[string]any {
	app := pick(g, "a", "b")
	return g.object("apps/v1", "StatefulSet", g.some(map[string]any{
		"selector": g.selector(app), "template": g.template(app, "Always"), "replicas": g.IntN(4), "serviceName": pick(g, "a", "b"),
		"minReadySeconds": g.IntN(3), "podManagementPolicy": pick(g, "OrderedReady", "Parallel", "odd"), "revisionHistoryLimit": g.IntN(3),
		"ordinals":                             map[string]any{"start": g.IntN(3) - 1},
		"persistentVolumeClaimRetentionPolicy": g.some(map[string]any{"whenDeleted": pick(g, "Retain", "Delete"), "whenScaled": pick(g, "Retain", "Delete", "odd")}),
		"updateStrategy": g.some(map[string]any{
			"type": pick(g, "OnDelete", "RollingUpdate", "odd"), "rollingUpdate": g.some(map[string]any{"partition": g.IntN(3), "maxUnavailable": g.share()}),
		}),
		"volumeClaimTemplates": []any{map[string]any{"metadata": map[string]any{"name": pick(g, "v", "w")}, "spec": g.some(map[string]any{
			"accessModes": []any{pick(g, "ReadWriteOnce", "ReadOnlyMany", "odd")}, "resources": map[string]any{"requests": map[string]any{"storage": pick(g, "1Gi", "0")}},
			"storageClassName": pick(g, "", "fast"), "volumeMode": pick(g, "Filesystem", "Block"),
		}, "accessModes", "resources")}},
	}, "selector", "template"))
}

func (g *generator) daemonSet() map[string]any {
	app := pick(g, "a", "b")
	return g.object("apps/v1", "DaemonSet", g.some(map[string]any{
		"selector": g.selector(app), "template": g.template(app, "Always"), "minReadySeconds": g.IntN(3), "revisionHistoryLimit": g.IntN(3),
		"updateStrategy": g.some(map[string]any{
			"type": pick(g, "OnDelete", "RollingUpdate", "odd"), "rollingUpdate": g.some(map[string]any{"maxSurge": g.share(), "maxUnavailable": g.share()}),
		}),
	}, "selector", "template"))
}

func (g *generator) jobSpec() map[string]any {
	template := g.template("a", pick(g, "Never", "OnFailure"))
	delete(template["metadata"].(map[string]any), "labels")
	return g.some(map[string]any{
		"template": template, "parallelism": g.IntN(3), "completions": g.IntN(4), "backoffLimit": g.IntN(3), "activeDeadlineSeconds": g.IntN(3),
		"completionMode": pick(g, "Indexed", "NonIndexed", "odd"), "suspend": g.IntN(2) == 0, "ttlSecondsAfterFinished": g.IntN(3), "backoffLimitPerIndex": g.IntN(2),
		"maxFailedIndexes": g.IntN(2), "podReplacementPolicy": pick(g, "TerminatingOrFailed", "Failed"), "manualSelector": g.IntN(2) == 0,
		"podFailurePolicy": map[string]any{"rules": []any{g.some(map[string]any{
			"action":          pick(g, "FailJob", "Ignore", "Count", "FailIndex", "odd"),
			"onExitCodes":     map[string]any{"operator": pick(g, "In", "NotIn"), "values": pick[any](g, []any{1, 2}, []any{0}, []any{2, 1}, []any{})},
			"onPodConditions": []any{map[string]any{"type": pick(g, "DisruptionTarget", "a"), "status": pick(g, "True", "False")}},
		}, "action")}},
	}, "template")
}

func (g *generator) job() map[string]any { return g.object("batch/v1", "Job", g.jobSpec()) }

func (g *generator) cronJob() map[string]any {
	return g.object("batch/v1", "CronJob", g.some(map[string]any{
		"schedule":          pick(g, "* * * * *", "*/5 1-3 * * mon", "@hourly", "@every 1h", "60 * * * *", "* * *", "TZ=UTC * * * * *"),
		"jobTemplate":       map[string]any{"metadata": g.metadata(), "spec": g.jobSpec()},
		"concurrencyPolicy": pick(g, "Allow", "Forbid", "Replace", "odd"), "suspend": g.IntN(2) == 0, "startingDeadlineSeconds": g.IntN(3) - 1,
		"successfulJobsHistoryLimit": g.IntN(3), "failedJobsHistoryLimit": g.IntN(3) - 1, "timeZone": pick(g, "Etc/UTC", "Europe/Berlin", "Nowhere", ""),
	}, "schedule", "jobTemplate"))
}

func (g *generator) service() map[string]any {
	var ports []any
	for i := range 1 + g.IntN(2) {
		ports = append(ports, g.some(map[string]any{
			"port": 1 + g.IntN(70000), "name": fmt.Sprint("p", i), "protocol": pick(g, "TCP", "UDP", "SCTP", "odd"), "targetPort": pick[any](g, 80, "http", "A B", 0),
			"appProtocol": pick(g, "http", "kubernetes.io/h2c", "a b"),
		}, "port", "name"))
	}
	return g.object("v1", "Service", g.some(map[string]any{
		"ports": ports, "selector": labelled("a"), "type": pick(g, "ClusterIP", "ClusterIP", "ExternalName", "odd"), "clusterIP": pick(g, "None", "10.0.0.1", "x"),
		"externalName": pick(g, "example.com", "a b"), "externalIPs": []any{pick(g, "1.2.3.4", "127.0.0.1", "x")}, "sessionAffinity": pick(g, "ClientIP", "None", "odd"),
		"sessionAffinityConfig": map[string]any{"clientIP": map[string]any{"timeoutSeconds": g.IntN(90000)}}, "publishNotReadyAddresses": g.IntN(2) == 0,
		"ipFamilyPolicy": pick(g, "SingleStack", "PreferDualStack", "RequireDualStack"), "ipFamilies": []any{pick(g, "IPv4", "IPv6")},
		"internalTrafficPolicy": pick(g, "Cluster", "Local", "odd"), "externalTrafficPolicy": pick(g, "Cluster", "Local"), "trafficDistribution": pick(g, "PreferClose", "odd"),
		"loadBalancerSourceRanges": []any{pick(g, "10.0.0.0/8", "x")}, "loadBalancerClass": "example.com/class", "healthCheckNodePort": 30000 + g.IntN(10),
	}, "ports"))
}

func (g *generator) peer() map[string]any {
	return g.some(map[string]any{
		"podSelector": g.selector("a"), "namespaceSelector": g.selector("b"),
		"ipBlock": g.some(map[string]any{"cidr": pick(g, "10.0.0.0/8", "10.0.0.1/8", "::/0", "x"), "except": []any{pick(g, "10.1.0.0/16", "11.0.0.0/8", "x")}}, "cidr"),
	})
}

func (g *generator) networkPolicy() map[string]any {
	ports := []any{g.some(map[string]any{"port": pick[any](g, 80, "http", 0, "A B"), "endPort": g.IntN(100), "protocol": pick(g, "TCP", "SCTP", "odd")})}
	return g.object("networking.k8s.io/v1", "NetworkPolicy", g.some(map[string]any{
		"podSelector": g.selector("a"), "policyTypes": pick[any](g, []any{"Ingress"}, []any{"Egress", "Ingress"}, []any{"odd"}),
		"ingress": []any{g.some(map[string]any{"from": []any{g.peer()}, "ports": ports})}, "egress": []any{g.some(map[string]any{"to": []any{g.peer(), g.peer()}, "ports": ports})},
	}, "podSelector"))
}
