package people

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Fault is a way to misbehave.
type Fault string

// The faults. Each counterpart has some of them.
const (
	WrongAudience Fault = "wrong-audience" // what is issued or confirmed is for somebody else
	UnknownKey    Fault = "unknown-key"    // tokens name a key that is not published
	SkewedClock   Fault = "skewed-clock"   // the clock is an hour ahead
	RotatedKeys   Fault = "rotated-keys"   // another key signs, and is alone published
	Throttled     Fault = "throttled"      // STS has been asked too often
	WrongAccount  Fault = "wrong-account"  // STS says that people are of another account
	STSDown       Fault = "sts-down"       // connections to STS break before an answer
	Slow          Fault = "slow"           // each answer takes 15 seconds
	Down          Fault = "down"           // connections break before an answer
)

// Person is somebody who is known.
type Person struct {
	Name     string              `json:"name"`
	UID      string              `json:"uid,omitempty"`
	Email    string              `json:"email,omitempty"`
	Groups   []string            `json:"groups,omitempty"`
	Extra    map[string][]string `json:"extra,omitempty"`
	Password string              `json:"password,omitempty"`
	Token    string              `json:"token,omitempty"`
	// AccessKeys are for requests to AWS.
	AccessKeys []AccessKey `json:"accessKeys,omitempty"`
}

// Content is what a file says.
type Content struct {
	Misbehave []Fault  `json:"misbehave,omitempty"`
	Users     []Person `json:"users"`
}

// Parse reads YAML. It never quotes a password or token.
func Parse(data []byte) (*Content, error) {
	c := &Content{}
	if err := yaml.UnmarshalStrict(data, c); err != nil {
		return nil, errors.New("this is no list of users: " + withoutValues(err))
	}
	for i, p := range c.Users {
		same := func(q Person) bool {
			return q.Name == p.Name || q.Token != "" && subtle.ConstantTimeCompare([]byte(q.Token), []byte(p.Token)) == 1
		}
		switch {
		case p.Name == "":
			return nil, fmt.Errorf("users[%d] has no name", i)
		case slices.ContainsFunc(c.Users[:i], same):
			return nil, fmt.Errorf("users[%d] (%s) has the name or the token of one before it", i, p.Name)
		case strings.ContainsFunc(p.Name+p.UID+strings.Join(p.Groups, ""), func(r rune) bool { return r < ' ' || r == 0x7f }):
			return nil, fmt.Errorf("users[%d] (%q) has a control character, which no header can carry", i, p.Name)
		}
		if err := checkAccessKeys(c.Users[:i+1]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// withoutValues keeps what a YAML error says of the place, and drops the values that it may quote.
func withoutValues(err error) string {
	text := err.Error()
	if i := strings.Index(text, "unknown field"); i >= 0 {
		return text[i:]
	}
	if i := strings.Index(text, "yaml: line "); i >= 0 {
		line, _, _ := strings.Cut(text[i+len("yaml: "):], ":")
		return line
	}
	return "a value has the wrong type"
}

// ByPassword finds who has that name and password.
func (c *Content) ByPassword(name, password string) *Person {
	return c.find(func(p *Person) bool {
		return p.Password != "" && same(p.Name, name)&same(p.Password, password) == 1
	})
}

// ByToken finds whose token that is.
func (c *Content) ByToken(token string) *Person {
	return c.find(func(p *Person) bool { return p.Token != "" && same(p.Token, token) == 1 })
}

// find looks at everybody, so that the time tells nothing of where somebody is in the file.
func (c *Content) find(is func(*Person) bool) *Person {
	var found *Person
	for i := range c.Users {
		if is(&c.Users[i]) {
			found = &c.Users[i]
		}
	}
	return found
}

// same compares in a time that depends on neither.
func same(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}
