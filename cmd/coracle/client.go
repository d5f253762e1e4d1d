package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"coracle/cluster"
	"coracle/rbac"
)

// connection says which cluster a command asks, and how it prints the answer. Its flags are kubectl's.
type connection struct {
	kubeconfig, context, namespace, output string
}

func (c *connection) addFlags(f *pflag.FlagSet) {
	c.addClusterFlags(f)
	f.StringVarP(&c.namespace, "namespace", "n", "", "namespace (default: that of the context)")
	f.StringVarP(&c.output, "output", "o", "", "json or yaml; text for people otherwise")
}

// addClusterFlags are those that say which cluster.
func (c *connection) addClusterFlags(f *pflag.FlagSet) {
	f.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig of the cluster to ask (default: $KUBECONFIG, else that of ~/.coracle/default)")
	f.StringVar(&c.context, "context", "", "context of the kubeconfig")
}

// client returns the configuration, and the namespace that is meant.
func (c *connection) client() (*rest.Config, string, error) {
	if err := c.checkOutput(); err != nil {
		return nil, "", err
	}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(c.rules(), &clientcmd.ConfigOverrides{CurrentContext: c.context})
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, "", fmt.Errorf("there is no cluster to ask: %w; set KUBECONFIG, or name a file with --kubeconfig", err)
	}
	namespace := c.namespace
	if namespace == "" {
		if namespace, _, err = loader.Namespace(); err != nil {
			return nil, "", err
		}
	}
	config.UserAgent = "coracle"
	return config, namespace, nil
}

// rules say which kubeconfig is in use.
func (c *connection) rules() *clientcmd.ClientConfigLoadingRules {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	if c.kubeconfig == "" && os.Getenv(clientcmd.RecommendedConfigPathEnvVar) == "" {
		if dir, err := cluster.DefaultDataDir(); err == nil {
			if path := filepath.Join(dir, "kubeconfigs", "admin.conf"); exists(path) {
				rules.ExplicitPath = path
			}
		}
	}
	return rules
}

func (c *connection) checkOutput() error {
	if c.output != "" && c.output != "json" && c.output != "yaml" {
		return fmt.Errorf("--output %q is not known; choose json or yaml", c.output)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// call sends a request and decodes the answer.
func call(ctx context.Context, config *rest.Config, verb, path string, body, into any) error {
	config = rest.CopyConfig(config)
	config.GroupVersion = &schema.GroupVersion{}
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	client, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		return err
	}
	request := client.Verb(verb).RequestURI(path)
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		request = request.SetHeader("Content-Type", "application/json").Body(data)
	}
	result := request.Do(ctx)
	if err := result.Error(); err != nil { // Raw alone would not read the Status that was answered
		return err
	}
	data, err := result.Raw()
	if err != nil {
		// The server's own sentence, where the client saw the code alone.
		var status metav1.Status
		if json.Unmarshal(data, &status) == nil && status.Kind == "Status" && status.Message != "" {
			return &apierrors.StatusError{ErrStatus: status}
		}
		return err
	}
	return json.Unmarshal(data, into)
}

// print writes the answer for programs, and tells whether that was asked for.
func (c *connection) print(w io.Writer, v any) (bool, error) {
	if c.output == "" {
		return false, nil
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err == nil && c.output == "yaml" {
		data, err = yaml.JSONToYAML(data)
	}
	if err != nil {
		return true, err
	}
	_, err = fmt.Fprintln(w, strings.TrimRight(string(data), "\n"))
	return true, err
}

// attributes turns VERB RESOURCE[/SUBRESOURCE] [NAME], or VERB /path, into what authorization is asked, as
// `kubectl auth can-i` does.
func attributes(config *rest.Config, namespace string, args []string) (*rbac.Attributes, error) {
	if len(args) < 2 || len(args) > 3 {
		return nil, errors.New("say VERB RESOURCE [NAME], such as `list pods`, or VERB /PATH")
	}
	a := &rbac.Attributes{Verb: args[0]}
	if strings.HasPrefix(args[1], "/") {
		a.Path = args[1]
		return a, nil
	}
	a.ResourceRequest = true
	resource, sub, _ := strings.Cut(args[1], "/")
	if len(args) == 3 {
		a.Name = args[2]
	} else if sub != "" && strings.Contains("get update patch delete", a.Verb) && !isSubresource(sub) {
		a.Name, sub = sub, ""
	}
	a.Subresource = sub
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	cached := memory.NewMemCacheClient(client)
	mapper := restmapper.NewShortcutExpander(restmapper.NewDeferredDiscoveryRESTMapper(cached), cached, nil)
	plural, group, _ := strings.Cut(resource, ".")
	gvr, err := mapper.ResourceFor(partial(plural, group))
	if err != nil {
		a.Resource, a.APIGroup = plural, group // asked of something that is not served: that can be answered as well
		a.Namespace = namespace
		return a, nil
	}
	a.Resource, a.APIGroup, a.APIVersion = gvr.Resource, gvr.Group, gvr.Version
	a.Namespace = namespace
	if kind, err := mapper.KindFor(gvr); err == nil {
		if m, err := mapper.RESTMapping(kind.GroupKind(), kind.Version); err == nil && m.Scope.Name() == meta.RESTScopeNameRoot {
			a.Namespace = ""
		}
	}
	return a, nil
}

// isSubresource tells `pods/log` from `pods/web`: both are written with a slash.
func isSubresource(s string) bool {
	switch s {
	case "status", "scale", "log", "exec", "attach", "portforward", "proxy", "token", "eviction", "binding", "finalize",
		"approval", "ephemeralcontainers", "resize":
		return true
	}
	return false
}
