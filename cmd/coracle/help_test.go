package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestHelp_ListsEverySettingInAGroup(t *testing.T) {
	f := pflag.NewFlagSet("up", pflag.ContinueOnError)
	addSettings(f)
	f.VisitAll(func(flag *pflag.Flag) {
		if !slices.Contains(groups(), group(flag)) {
			t.Errorf("--%s is in no group, so --help does not show it", flag.Name)
		}
	})
}

func TestHelp(t *testing.T) {
	for _, c := range []struct{ name, program, want string }{
		{"called by its name", "/usr/local/bin/coracle", "  coracle up [flags]\n"},
		{"called as a plugin of kubectl", "/usr/local/bin/kubectl-coracle", "  kubectl coracle up [flags]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			cmd := root("1.2.3", c.program)
			cmd.SetOut(&out)
			cmd.SetArgs([]string{"up", "--help"})
			if err := cmd.Execute(); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), c.want) {
				t.Errorf("the help lacks %q:\n%s", c.want, out.String())
			}
		})
	}
}

func TestShellPath(t *testing.T) {
	t.Setenv("HOME", "/home/ann")
	for path, want := range map[string]string{
		"/home/ann/.coracle/default/kubeconfigs/admin.conf": "~/.coracle/default/kubeconfigs/admin.conf",
		"/home/annette/admin.conf":                          "/home/annette/admin.conf",
		"/home/ann/my files/admin.conf":                     "'/home/ann/my files/admin.conf'",
		"/tmp/ann's/$(reboot)":                              `'/tmp/ann'\''s/$(reboot)'`,
	} {
		if got := shellPath(path); got != want {
			t.Errorf("%s is written %s, want %s", path, got, want)
		}
	}
}
