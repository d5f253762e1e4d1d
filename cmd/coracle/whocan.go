package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"coracle/rbac"
)

// policyOf reads a cluster's roles and bindings. It works with any cluster: the evaluator is here.
func policyOf(ctx context.Context, config *rest.Config) (*rbac.Snapshot, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	api, policy, o := client.RbacV1(), rbac.NewPolicy(), metav1.ListOptions{}
	var objs []runtime.Object
	clusterRoles, err := api.ClusterRoles().List(ctx, o)
	if err != nil {
		return nil, err
	}
	for i := range clusterRoles.Items {
		objs = append(objs, &clusterRoles.Items[i])
	}
	clusterBindings, err := api.ClusterRoleBindings().List(ctx, o)
	if err != nil {
		return nil, err
	}
	for i := range clusterBindings.Items {
		objs = append(objs, &clusterBindings.Items[i])
	}
	roles, err := api.Roles("").List(ctx, o)
	if err != nil {
		return nil, err
	}
	for i := range roles.Items {
		objs = append(objs, &roles.Items[i])
	}
	bindings, err := api.RoleBindings("").List(ctx, o)
	if err != nil {
		return nil, err
	}
	for i := range bindings.Items {
		objs = append(objs, &bindings.Items[i])
	}
	policy.Apply(objs...)
	return policy.Snapshot(), nil
}

// whoCanCommand lists who may do something.
func whoCanCommand() *cobra.Command {
	c := &connection{}
	cmd := &cobra.Command{
		Use:   "who-can VERB RESOURCE[/SUBRESOURCE] [NAME]",
		Short: "List who may do something, and by which binding",
		Long: `List who may do something, and by which binding and role.

The roles and bindings are read from the cluster, which may be any. Members of system:masters may do everything besides.`,
		Example: `  coracle who-can get secrets -n kube-system
  coracle who-can '*' '*'`,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, namespace, err := c.client()
			if err != nil {
				return err
			}
			a, err := attributes(config, namespace, args)
			if err != nil {
				return err
			}
			policy, err := policyOf(cmd.Context(), config)
			if err != nil {
				return err
			}
			holders := policy.WhoCan(a)
			if done, err := c.print(cmd.OutOrStdout(), holders); done {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 3, ' ', 0)
			fmt.Fprintln(w, "KIND\tSUBJECT\tBINDING\tROLE")
			for _, h := range holders {
				name := strings.TrimPrefix(h.Subject.Namespace+"/"+h.Subject.Name, "/")
				for _, way := range h.Via {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", h.Subject.Kind, cleanWord(name), way.Binding, way.Role)
				}
			}
			return w.Flush()
		},
	}
	c.addFlags(cmd.Flags())
	return cmd
}

// accessMatrixCommand shows what somebody may do with each kind of object.
func accessMatrixCommand() *cobra.Command {
	c := &connection{}
	var as string
	var groups []string
	cmd := &cobra.Command{
		Use:   "access-matrix",
		Short: "Show what somebody may do with each kind of object",
		Example: `  coracle access-matrix --as system:serviceaccount:blue:some-sa -n blue
  coracle access-matrix --as alice --as-group dev -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if as == "" {
				return fmt.Errorf("say about whom, with --as")
			}
			config, namespace, err := c.client()
			if err != nil {
				return err
			}
			rows, err := matrix(cmd.Context(), config, namespace, &user.DefaultInfo{Name: as, Groups: withImplied(as, groups)})
			if err != nil {
				return err
			}
			if done, err := c.print(cmd.OutOrStdout(), rows); done {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 3, ' ', 0)
			fmt.Fprintf(w, "RESOURCE\t%s\n", strings.ToUpper(strings.Join(matrixVerbs[:], "\t")))
			for _, r := range rows {
				cells := make([]string, len(matrixVerbs))
				any := false
				for i, v := range matrixVerbs {
					switch allowed, has := r.Verbs[v]; {
					case !has:
						cells[i] = ""
					case allowed:
						cells[i], any = "yes", true
					default:
						cells[i] = "-"
					}
				}
				if any {
					fmt.Fprintf(w, "%s\t%s\n", r.Resource, strings.Join(cells, "\t"))
				}
			}
			return w.Flush()
		},
	}
	c.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&as, "as", "", "whom the matrix is about")
	cmd.Flags().StringSliceVar(&groups, "as-group", nil, "their groups")
	return cmd
}

var matrixVerbs = [...]string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}

// matrixRow is one resource: which of the verbs that it has are allowed.
type matrixRow struct {
	Resource string          `json:"resource"`
	Verbs    map[string]bool `json:"verbs"`
}

func matrix(ctx context.Context, config *rest.Config, namespace string, u user.Info) ([]matrixRow, error) {
	policy, err := policyOf(ctx, config)
	if err != nil {
		return nil, err
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		return nil, err
	}
	var rows []matrixRow
	for _, l := range lists {
		group, version, found := strings.Cut(l.GroupVersion, "/")
		if !found {
			group, version = "", group
		}
		for _, r := range l.APIResources {
			resource, sub, _ := strings.Cut(r.Name, "/")
			row := matrixRow{Resource: r.Name, Verbs: map[string]bool{}}
			if group != "" {
				row.Resource = r.Name + "." + group
			}
			for _, v := range r.Verbs {
				a := &rbac.Attributes{
					User: u, Verb: v, ResourceRequest: true, APIGroup: group, APIVersion: version,
					Resource: resource, Subresource: sub,
				}
				if r.Namespaced {
					a.Namespace = namespace
				}
				row.Verbs[v] = policy.Authorize(a).Allowed
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}
