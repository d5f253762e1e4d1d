package abac

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
)

// Policy is one line of the file. In every field "*" means all; an empty field means none.
type Policy struct {
	User            string `json:"user,omitempty"`
	Group           string `json:"group,omitempty"`
	Readonly        bool   `json:"readonly,omitempty"` // get, list and watch only
	APIGroup        string `json:"apiGroup,omitempty"`
	Resource        string `json:"resource,omitempty"`
	Namespace       string `json:"namespace,omitempty"`
	NonResourcePath string `json:"nonResourcePath,omitempty"` // "/foo/*" means all below /foo

	line int
}

const version = "abac.authorization.kubernetes.io/v1beta1"

// maxLine bounds one policy.
const maxLine = 64 << 10

// FromFile reads a policy file.
func FromFile(path string) (Authorizer, error) {
	file, err := os.Open(path)
	if err != nil {
		return Authorizer{}, fmt.Errorf("read the ABAC policy: %w", err)
	}
	defer file.Close()
	return Read(file, path)
}

// Read reads policies, one a line; empty lines and those that begin with # are passed over.
// The name is for errors.
func Read(r io.Reader, name string) (Authorizer, error) {
	var a Authorizer
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		p, err := parse(line)
		if err != nil {
			return Authorizer{}, fmt.Errorf("error reading policy file %s, line %d: %s: %w", name, n, line, err)
		}
		p.line = n
		a.Policies = append(a.Policies, p)
	}
	if err := lines.Err(); err != nil {
		return Authorizer{}, fmt.Errorf("error reading policy file %s: %w", name, err)
	}
	return a, nil
}

// parse reads one policy. Unknown fields are passed over, as Kubernetes does: a misspelt "readOnly" allows writing.
func parse(line []byte) (Policy, error) {
	var versioned struct {
		metav1.TypeMeta `json:",inline"`
		Spec            Policy `json:"spec"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(line, &versioned); err != nil {
		return Policy{}, err
	}
	switch {
	case versioned.APIVersion == "" && versioned.Kind == "":
		return parseUnversioned(line)
	case versioned.APIVersion != version || versioned.Kind != "Policy":
		return Policy{}, fmt.Errorf("%s of %s is not a Policy of %s", versioned.Kind, versioned.APIVersion, version)
	}
	p := versioned.Spec
	if p.User == "*" || p.Group == "*" { // everybody means everybody who is known
		p.User, p.Group = "", "system:authenticated"
	}
	return p, nil
}

// parseUnversioned reads the form of the first releases, in which an empty field meant all.
func parseUnversioned(line []byte) (Policy, error) {
	var p Policy
	if err := kjson.UnmarshalCaseSensitivePreserveInts(line, &p); err != nil {
		return Policy{}, err
	}
	if p.APIGroup != "" || p.NonResourcePath != "" {
		return Policy{}, errors.New("a policy with an apiGroup or nonResourcePath must say its apiVersion and kind")
	}
	if p.User == "*" || p.Group == "*" || p.User == "" && p.Group == "" {
		p.User, p.Group = "", "system:authenticated"
	}
	if p.Namespace == "" && p.Resource == "" {
		p.NonResourcePath = "*"
	}
	if p.Namespace == "" {
		p.Namespace = "*"
	}
	if p.Resource == "" {
		p.Resource = "*"
	}
	p.APIGroup = "*"
	return p, nil
}
