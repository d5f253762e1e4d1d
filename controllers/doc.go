// Package controllers holds the control loops, one package each: they watch objects through the API and bring the
// cluster to the state that the objects ask for. They import nothing of the server. Each acts with an identity and
// rights of its own, the same as upstream's, so that RBAC holds for them too and a decision names who did what.
//
// Every controller is made alike and runs alike:
//
//	c := serviceaccount.New(client, factory, log)  // before the factory starts: it registers its informers
//	factory.StartWithContext(ctx)
//	c.Run(ctx)                                     // until ctx ends; waits for its goroutines
//
// client carries the controller's own identity; give it no client-side rate limit (rest.Config.QPS below zero).
// factory is shared among all: it reads with the identity system:kube-controller-manager, which may list and watch
// everything, as upstream's shared informers do.
//
// A ServiceAccount's name below means kube-system/NAME; its rights are the ClusterRole system:controller:NAME.
//
//	controller       identity                                 what it does
//	serviceaccount   service-account-controller               a ServiceAccount "default" in every namespace
//	token            user system:kube-controller-manager      token Secrets: made, filled in, deleted with their account
//	rootca           root-ca-cert-publisher                   the ConfigMap kube-root-ca.crt in every namespace
//	trustbundle      kube-apiserver-serving-                  the ClusterTrustBundle of the API server's authority
//	                 clustertrustbundle-publisher
//	namespace        namespace-controller                     empties and finalizes namespaces that are being deleted
//	clusterrole      clusterrole-aggregation-controller       the rules of aggregated ClusterRoles
//	garbage          generic-garbage-collector                deletes what has lost its owners
//	deployment       deployment-controller                    ReplicaSets for Deployments: rollouts, scaling, history
//	replicaset       replicaset-controller                    pods for ReplicaSets
//	                 replication-controller                   pods for ReplicationControllers
//	certificates     certificate-controller                   signing requests: approves nodes', signs, deletes old ones
//	                 podcertificaterequestcleaner             deletes old requests of pods for certificates
//	nodelifecycle    node-controller                          marks and taints nodes in trouble, drives pods away from taints
//	podgc            pod-garbage-collector                    deletes the pods of nodes that are gone
//	disruption       disruption-controller                    how many pods of a PodDisruptionBudget may be evicted now
//	resourcequota    resourcequota-controller                 what the objects of a namespace take of its ResourceQuotas
//	endpoints        endpointslice-controller                 EndpointSlices: where a Service's pods are
//	                 endpoint-controller                      the same as Endpoints
//	                 endpointslicemirroring-controller        EndpointSlices for Endpoints made by hand
//	statefulset      statefulset-controller                   pods of StatefulSets, each with a name and claims of its own
//	daemonset        daemon-set-controller                    a pod of each DaemonSet on every node that it suits
//	job              job-controller                           pods for Jobs, until enough have ended well
//	cronjob          cronjob-controller                       Jobs by the clock
//	ttlafterfinished ttl-after-finished-controller            deletes Jobs some time after their end
//	policystatus     validatingadmissionpolicy-               what is wrong with the types in ValidatingAdmissionPolicies
//	                 status-controller
//	scheduler        user system:kube-scheduler               a node for each pod
//
// Start reading at package loop, what all of them share, then serviceaccount, the smallest. Packages workload and
// revision are what those share that run pods; package event writes their Events; package looptest is the world in which they are tested.
package controllers
