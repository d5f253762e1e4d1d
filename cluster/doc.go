// Package cluster assembles one cluster from its parts, in the order in which a request meets them.
//
// Start opens the data directory, starts the server, and then everything that talks to the server: controllers,
// scheduler and nodes, each with an identity of its own. Tests of other projects can use it as well:
//
//	c, err := cluster.Start(ctx, cluster.Config{DataDir: t.TempDir()})
//	defer c.Stop()
//	// c.Kubeconfig is the path of an administrator's kubeconfig
//
// Start reading at Start.
package cluster
