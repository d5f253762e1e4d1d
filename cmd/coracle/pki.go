package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coracle/authn/pki"
	"coracle/cluster"
)

// pkiCommand holds what there is to do with certificates and keys. All of it works on files, whether a server runs
// on them or not.
func pkiCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "pki", Short: "List, judge and replace certificates and keys"}
	cmd.AddCommand(pkiListCommand(), pkiShowCommand(), pkiRotateCommand())
	return cmd
}

// certificateFiles say where a cluster's certificates are.
type certificateFiles struct{ dataDir string }

func (c *certificateFiles) addFlags(f *pflag.FlagSet) {
	f.StringVar(&c.dataDir, "data-dir", "", "the cluster's data directory (default ~/.coracle/default)")
}

// dir is the data directory.
func (c *certificateFiles) dir() (string, error) {
	if c.dataDir != "" {
		return c.dataDir, nil
	}
	return cluster.DefaultDataDir()
}

// kubeconfigs are the files in it that hold a client certificate.
func kubeconfigs(dataDir string) ([]string, error) {
	found, err := fs.Glob(os.DirFS(dataDir), "kubeconfigs/*.conf")
	if err != nil {
		return nil, err
	}
	nodes, err := fs.Glob(os.DirFS(dataDir), "nodes/*/kubelet.conf")
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, name := range append(found, nodes...) {
		paths = append(paths, filepath.Join(dataDir, filepath.FromSlash(name)))
	}
	return paths, nil
}

// rotation is what would replace things there.
func (c *certificateFiles) rotation() (pki.Rotation, error) {
	dir, err := c.dir()
	if err != nil {
		return pki.Rotation{}, err
	}
	paths, err := kubeconfigs(dir)
	if err != nil {
		return pki.Rotation{}, fmt.Errorf("look for kubeconfigs in %s: %w", dir, err)
	}
	return pki.Rotation{Dir: filepath.Join(dir, "pki"), Kubeconfigs: paths}, nil
}
