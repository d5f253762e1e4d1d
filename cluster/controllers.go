package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// controllerNames are what Config.Controllers can name.
func controllerNames() []string {
	return []string{
		"bootstrap-signer", "certificatesigningrequest-approving", "certificatesigningrequest-cleaner", "certificatesigningrequest-signing",
		"clusterrole-aggregation", "cronjob", "daemonset", "deployment", "disruption", "endpoint", "garbage-collector", "job",
		"kube-apiserver-serving-clustertrustbundle-publisher", "legacy-service-account-token-cleaner", "namespace", "nodelifecycle",
		"persistentvolume-protection", "persistentvolumeclaim-protection", "podcertificaterequest-cleaner", "podgc", "replicaset", "replication", "resourcequota",
		"root-ca-certificate-publisher", "scheduler", "serviceaccount", "serviceaccount-token", "statefulset", "token-cleaner",
		"ttl-after-finished", "validatingadmissionpolicy-status", "volumeattributesclass-protection",
	}
}

// validateControllers reports the first name that no controller has.
func validateControllers(chosen []string) error {
	for _, name := range chosen {
		if name = strings.TrimPrefix(name, "-"); name != "*" && !slices.Contains(controllerNames(), name) {
			return fmt.Errorf("--controllers %q is not known; choose * for all, -* for none, or from %s, each with a leading - to leave it out",
				name, strings.Join(controllerNames(), ", "))
		}
	}
	return nil
}

// controls tells whether a controller is to run: its name decides first, then the star.
// Source: kube-controller-manager's --controllers.
func (c *Config) controls(name string) bool {
	switch {
	case slices.Contains(c.Controllers, name):
		return true
	case slices.Contains(c.Controllers, "-"+name):
		return false
	}
	return slices.Contains(c.Controllers, "*")
}

// control makes a controller and runs it, where it is chosen. One that is not made watches nothing.
func (c *Cluster) control(ctx context.Context, name string, create func() runner) {
	if c.config.controls(name) {
		c.run(ctx, name, create())
	}
}
