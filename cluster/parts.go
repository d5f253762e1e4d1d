package cluster

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"coracle/apiserver/admission"
	"coracle/controllers/bootstrap"
	"coracle/controllers/certificates"
	"coracle/controllers/clusterrole"
	"coracle/controllers/cronjob"
	"coracle/controllers/daemonset"
	"coracle/controllers/deployment"
	"coracle/controllers/disruption"
	"coracle/controllers/endpoints"
	"coracle/controllers/garbage"
	"coracle/controllers/job"
	"coracle/controllers/legacytokencleaner"
	"coracle/controllers/namespace"
	"coracle/controllers/nodelifecycle"
	"coracle/controllers/podgc"
	"coracle/controllers/policystatus"
	"coracle/controllers/protection"
	"coracle/controllers/replicaset"
	"coracle/controllers/resourcequota"
	"coracle/controllers/rootca"
	"coracle/controllers/scheduler"
	"coracle/controllers/serviceaccount"
	"coracle/controllers/statefulset"
	"coracle/controllers/token"
	"coracle/controllers/trustbundle"
	"coracle/controllers/ttlafterfinished"
)

// runner is anything that runs until its context ends.
type runner interface{ Run(context.Context) error }

// run runs a part until the cluster stops. One that ends before that is a fault, and is told.
func (c *Cluster) run(ctx context.Context, name string, r runner) {
	c.parts.Go(func() {
		if err := r.Run(ctx); err != nil && ctx.Err() == nil {
			c.config.Log.Error("a part of the cluster has stopped", "part", name, "error", err)
		}
	})
}

// startControllers starts what kube-controller-manager and kube-scheduler are in a larger cluster. Each
// controller acts as the service account that it has there; what they watch they share, as there.
func (c *Cluster) startControllers(ctx context.Context, clients clientFactory, ids identities, minter *tokens, publishInfo func(context.Context) error) error {
	manager, err := kubernetes.NewForConfig(clients.as("kube-controller-manager", ids.controllerManager.chain))
	if err != nil {
		return err
	}
	account := func(name string) kubernetes.Interface {
		return kubernetes.NewForConfigOrDie(clients.asAccount(name, manager))
	}
	shared := informers.NewSharedInformerFactoryWithOptions(manager, 0, informers.WithTransform(withoutOwners))
	log := c.config.Log

	c.control(ctx, "serviceaccount", func() runner { return serviceaccount.New(account("service-account-controller"), shared, log) })
	secrets := token.New(manager, shared, token.Config{
		Minter: minter, CA: c.keys.CABundle, MintForEveryAccount: c.config.Era == string(admission.Classic),
	}, log)
	c.control(ctx, "serviceaccount-token", func() runner { return secrets })
	roots := rootca.New(account("root-ca-cert-publisher"), shared, c.keys.CABundle, log)
	c.control(ctx, "root-ca-certificate-publisher", func() runner { return roots })
	anchors := trustbundle.New(account("kube-apiserver-serving-clustertrustbundle-publisher"), shared, c.keys.CABundle, log)
	c.control(ctx, "kube-apiserver-serving-clustertrustbundle-publisher", func() runner { return anchors })
	c.run(ctx, "authorities", authorityWatch{c.keys.CABundle, func(ctx context.Context) error {
		secrets.CAChanged()
		roots.CAChanged()
		anchors.CAChanged()
		return publishInfo(ctx)
	}})
	content, err := metadata.NewForConfig(clients.asAccount("namespace-controller", manager))
	if err != nil {
		return err
	}
	spaces := account("namespace-controller")
	c.control(ctx, "namespace", func() runner { return namespace.New(spaces, content, spaces.Discovery(), shared, log) })
	owned, err := metadata.NewForConfig(clients.asAccount("generic-garbage-collector", manager))
	if err != nil {
		return err
	}
	collecting := account("generic-garbage-collector")
	c.control(ctx, "garbage-collector", func() runner { return garbage.New(collecting, owned, collecting.Discovery(), log) })
	c.control(ctx, "token-cleaner", func() runner { return bootstrap.NewCleaner(account("token-cleaner"), shared, c.config.Now, log) })
	c.control(ctx, "bootstrap-signer", func() runner {
		return bootstrap.NewSigner(account("bootstrap-signer"), shared, signInfo, c.config.Now, log)
	})
	if period := c.config.LegacyTokenCleanUpPeriod; period > 0 {
		c.control(ctx, "legacy-service-account-token-cleaner", func() runner {
			return legacytokencleaner.New(account("legacy-service-account-token-cleaner"), shared,
				legacytokencleaner.Config{Period: period, Pods: manager, Now: c.config.Now}, log)
		})
	}
	c.control(ctx, "replicaset", func() runner { return replicaset.New(account("replicaset-controller"), shared, log) })
	c.control(ctx, "replication", func() runner { return replicaset.NewReplication(account("replication-controller"), shared, log) })
	c.control(ctx, "deployment", func() runner { return deployment.New(account("deployment-controller"), shared, log) })
	c.control(ctx, "statefulset", func() runner { return statefulset.New(account("statefulset-controller"), shared, log) })
	c.control(ctx, "daemonset", func() runner { return daemonset.New(account("daemon-set-controller"), shared, log) })
	c.control(ctx, "job", func() runner { return job.New(account("job-controller"), shared, log) })
	c.control(ctx, "cronjob", func() runner { return cronjob.New(account("cronjob-controller"), shared, log) })
	c.control(ctx, "ttl-after-finished", func() runner { return ttlafterfinished.New(account("ttl-after-finished-controller"), shared, log) })
	c.control(ctx, "nodelifecycle", func() runner { return nodelifecycle.New(account("node-controller"), shared, log) })
	c.control(ctx, "podgc", func() runner { return podgc.New(account("pod-garbage-collector"), shared, log) })
	c.control(ctx, "disruption", func() runner { return disruption.New(account("disruption-controller"), shared, log) })
	claims := account("pvc-protection-controller")
	c.control(ctx, "persistentvolumeclaim-protection", func() runner {
		return protection.NewClaims(claims, protection.REST{Client: claims.CoreV1().RESTClient()}, shared, log)
	})
	volumes, err := metadata.NewForConfig(clients.asAccount("pv-protection-controller", manager))
	if err != nil {
		return err
	}
	c.control(ctx, "persistentvolume-protection", func() runner {
		return protection.NewVolumes(volumes,
			protection.REST{Client: account("pv-protection-controller").CoreV1().RESTClient()}, log)
	})
	classes, err := metadata.NewForConfig(clients.asAccount("volumeattributesclass-protection-controller", manager))
	if err != nil {
		return err
	}
	c.control(ctx, "volumeattributesclass-protection", func() runner {
		return protection.NewClasses(classes,
			protection.REST{Client: account("volumeattributesclass-protection-controller").CoreV1().RESTClient()}, log)
	})
	counted, err := metadata.NewForConfig(clients.asAccount("resourcequota-controller", manager))
	if err != nil {
		return err
	}
	c.control(ctx, "resourcequota", func() runner { return resourcequota.New(account("resourcequota-controller"), counted, shared, log) })
	c.control(ctx, "endpoint", func() runner {
		return endpoints.New(endpoints.Clients{
			Slices: account("endpointslice-controller"), Endpoints: account("endpoint-controller"), Mirror: account("endpointslicemirroring-controller"),
		}, shared, log)
	})
	signing := account("certificate-controller")
	c.control(ctx, "certificatesigningrequest-approving", func() runner { return certificates.NewApprover(signing, shared, log) })
	c.control(ctx, "certificatesigningrequest-signing", func() runner {
		return certificates.NewSigner(signing, shared, certificates.Config{
			Authority: func() certificates.Authority { return c.keys.Authority() },
			Duration:  c.config.ClusterSigningDuration, Now: c.config.Now,
		}, log)
	})
	c.control(ctx, "certificatesigningrequest-cleaner", func() runner { return certificates.NewCleaner(signing, shared, c.config.Now, log) })
	c.control(ctx, "podcertificaterequest-cleaner", func() runner {
		return certificates.NewPodCleaner(account("podcertificaterequestcleaner"), shared, c.config.Now, log)
	})
	policies, err := metadata.NewForConfig(clients.asAccount("validatingadmissionpolicy-status-controller", manager))
	if err != nil {
		return err
	}
	checking := account("validatingadmissionpolicy-status-controller").Discovery()
	c.control(ctx, "validatingadmissionpolicy-status", func() runner {
		return policystatus.New(policies, policystatus.REST{Client: checking.RESTClient()}, checking, log)
	})
	c.control(ctx, "clusterrole-aggregation", func() runner { return clusterrole.New(account("clusterrole-aggregation-controller"), shared, log) })

	scheduling, err := kubernetes.NewForConfig(clients.as("kube-scheduler", ids.scheduler.chain))
	if err != nil {
		return err
	}
	watched := informers.NewSharedInformerFactoryWithOptions(scheduling, 0, informers.WithTransform(withoutOwners))
	c.control(ctx, "scheduler", func() runner { return scheduler.New(scheduling, watched, log) })

	for _, f := range []informers.SharedInformerFactory{shared, watched} {
		f.Start(ctx.Done())
		c.parts.Go(func() {
			<-ctx.Done()
			f.Shutdown()
		})
	}
	return nil
}

// withoutOwners leaves out of what controllers keep who owns which field: half of an object, and none of them asks. An update
// without it leaves it as it is.
func withoutOwners(obj any) (any, error) {
	if m, err := meta.Accessor(obj); err == nil {
		m.SetManagedFields(nil)
	}
	return obj, nil
}
