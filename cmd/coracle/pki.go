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
		return filepath.Abs(c.dataDir)
	}
	return cluster.DefaultDataDir()
}

// filesIn are the files in the data directory that patterns match.
func filesIn(dataDir string, patterns ...string) ([]string, error) {
	var paths []string
	for _, pattern := range patterns {
		found, err := fs.Glob(os.DirFS(dataDir), pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range found {
			paths = append(paths, filepath.Join(dataDir, filepath.FromSlash(name)))
		}
	}
	return paths, nil
}

// rotation is what would replace things there.
func (c *certificateFiles) rotation() (pki.Rotation, error) {
	dir, err := c.dir()
	if err != nil {
		return pki.Rotation{}, err
	}
	paths, err := filesIn(dir, "kubeconfigs/*.conf", "nodes/*/kubelet.conf")
	if err != nil {
		return pki.Rotation{}, fmt.Errorf("look for kubeconfigs in %s: %w", dir, err)
	}
	nodeFiles, err := filesIn(dir, "nodes/*/pki/*-current.pem")
	if err != nil {
		return pki.Rotation{}, fmt.Errorf("look for nodes' certificates in %s: %w", dir, err)
	}
	return pki.Rotation{Dir: filepath.Join(dir, "pki"), Kubeconfigs: paths, NodeFiles: nodeFiles}, nil
}
