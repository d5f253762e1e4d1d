package eks

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// ErrNotMapped is returned for an ARN that aws-auth does not know.
var ErrNotMapped = errors.New("ARN is not mapped")

// Mapping is who an ARN is in the cluster. Name and groups may have {{words}}, which stand for something of the identity.
type Mapping struct {
	RoleARN  string   `json:"rolearn"`
	UserARN  string   `json:"userarn"`
	Username string   `json:"username"`
	Groups   []string `json:"groups"`
}

// awsAuth is the content of the ConfigMap.
type awsAuth struct {
	roles, users []Mapping
	accounts     []string // all of whom may log in, by their ARNs
}

// parseAWSAuth reads what it can. What it cannot read is left out, and the error says so.
func parseAWSAuth(data map[string]string) (*awsAuth, error) {
	m := &awsAuth{}
	problems := []error{
		list(data, "mapRoles", &m.roles), list(data, "mapUsers", &m.users), list(data, "mapAccounts", &m.accounts),
	}
	drop := func(key, field string, arn func(Mapping) string, all []Mapping) []Mapping {
		return slices.DeleteFunc(all, func(mapping Mapping) bool {
			if arn(mapping) == "" {
				problems = append(problems, fmt.Errorf("an entry of %s has no %s", key, field))
				return true
			}
			return false
		})
	}
	m.roles = drop("mapRoles", "rolearn", roleARN, m.roles)
	m.users = drop("mapUsers", "userarn", userARN, m.users)
	return m, errors.Join(problems...)
}

func roleARN(m Mapping) string { return m.RoleARN }
func userARN(m Mapping) string { return m.UserARN }

func list[T any](data map[string]string, key string, into *[]T) error {
	var read []T
	if err := yaml.Unmarshal([]byte(data[key]), &read); err != nil {
		return fmt.Errorf("%s is no list as it should be: %.200s", key, err)
	}
	*into = read
	return nil
}

// resolve finds who somebody is: roles are looked through before users, and of two entries the later one counts.
func (m *awsAuth) resolve(id *Identity) (username string, groups []string, err error) {
	find := func(all []Mapping, arn func(Mapping) string) *Mapping {
		for i := range slices.Backward(all) {
			if strings.EqualFold(arn(all[i]), id.CanonicalARN) {
				return &all[i]
			}
		}
		return nil
	}
	mapping := find(m.roles, roleARN)
	if mapping == nil {
		mapping = find(m.users, userARN)
	}
	switch {
	case mapping == nil && slices.Contains(m.accounts, id.AccountID):
		return id.CanonicalARN, nil, nil
	case mapping == nil:
		return "", nil, fmt.Errorf("%w: %s is in neither mapRoles nor mapUsers of the ConfigMap kube-system/aws-auth", ErrNotMapped, id.CanonicalARN)
	}
	if username, err = id.fill(mapping.Username); err != nil {
		return "", nil, fmt.Errorf("error rendering username template %.200q: %w", mapping.Username, err)
	}
	if username == "" {
		return "", nil, fmt.Errorf("the ConfigMap kube-system/aws-auth maps %s to no username", id.CanonicalARN)
	}
	for _, group := range mapping.Groups {
		filled, err := id.fill(group)
		if err != nil {
			return "", nil, fmt.Errorf("error rendering group template %.200q: %w", group, err)
		}
		groups = append(groups, filled)
	}
	return username, groups, nil
}

// fill puts what is known of somebody in place of the words, in one go: what a session is called is no template.
func (id *Identity) fill(text string) (string, error) {
	const dnsName = "{{EC2PrivateDNSName}}"
	if strings.Contains(text, dnsName) && !isInstance(id.SessionName) {
		return "", errors.New("SessionName did not contain an instance id")
	}
	return strings.NewReplacer(
		dnsName, id.SessionName+".ec2.internal", // as EC2 names hosts by resource
		"{{AccountID}}", id.AccountID,
		"{{SessionName}}", strings.ReplaceAll(id.SessionName, "@", "-"),
		"{{SessionNameRaw}}", id.SessionName,
		"{{AccessKeyID}}", id.AccessKeyID,
	).Replace(text), nil
}

// isInstance tells whether a session is called as EC2 calls those of its instances.
func isInstance(session string) bool {
	digits, ok := strings.CutPrefix(session, "i-")
	return ok && (len(digits) == 8 || len(digits) == 17) && !strings.ContainsFunc(digits, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	})
}
