package people

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// AccessKey is what somebody signs requests to Amazon Web Services with. With a role it stands for that role, taken by the
// person, whose name is the session's.
type AccessKey struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
	// SessionToken comes with temporary keys, which end.
	SessionToken string     `json:"sessionToken,omitempty"`
	Role         string     `json:"role,omitempty"`
	Expires      *time.Time `json:"expires,omitempty"`
}

// ByAccessKey finds whose key that is.
func (c *Content) ByAccessKey(id string) (*Person, *AccessKey) {
	var key *AccessKey
	p := c.find(func(p *Person) bool {
		for i := range p.AccessKeys {
			if same(p.AccessKeys[i].ID, id) == 1 {
				key = &p.AccessKeys[i]
				return true
			}
		}
		return false
	})
	return p, key
}

// checkAccessKeys tells what is wrong with the keys of the last of some people, without their secrets.
func checkAccessKeys(people []Person) error {
	i := len(people) - 1
	p := people[i]
	for j, k := range p.AccessKeys {
		taken := func(q AccessKey) bool { return q.ID == k.ID }
		before := func(q Person) bool { return slices.ContainsFunc(q.AccessKeys, taken) }
		problem := ""
		switch {
		case !awsName(p.Name), k.Role != "" && !awsName(k.Role):
			problem = "needs a name and a role of at most 64 letters, digits and _+=,.@-, as AWS has them"
		case len(k.ID) < 16 || strings.ContainsFunc(k.ID, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') }):
			problem = "has no id of at least 16 capital letters and digits"
		case k.Secret == "":
			problem = "has no secret"
		case k.Role != "" && k.SessionToken == "":
			problem = "is a role's, and has no sessionToken"
		case slices.ContainsFunc(p.AccessKeys[:j], taken) || slices.ContainsFunc(people[:i], before):
			problem = "has the id of one before it"
		default:
			continue
		}
		return fmt.Errorf("users[%d] (%s): accessKeys[%d] %s", i, p.Name, j, problem)
	}
	return nil
}

// awsName tells whether IAM takes the name for a user, a role or a session.
func awsName(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_+=,.@-", r)
	})
}
