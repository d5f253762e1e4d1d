package eks

import (
	"errors"
	"fmt"
	"strings"
)

// Identity is what STS says of whoever signed.
type Identity struct {
	ARN string
	// CanonicalARN is the role's own where ARN is that of a session in it.
	CanonicalARN string
	AccountID    string
	UserID       string // without the session
	SessionName  string // chosen by whoever took the role, who may not be trusted with it
	AccessKeyID  string
}

// newIdentity reads an ARN, arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE, of a user, a role, a session in a role, an
// account's root or a federated user.
func newIdentity(arn, account, userID, keyID string) (*Identity, error) {
	id := &Identity{ARN: arn, CanonicalARN: arn, AccountID: account, UserID: userID, AccessKeyID: keyID}
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] != "aws" {
		return nil, fmt.Errorf("arn '%.200s' is invalid", arn)
	}
	kind, rest, _ := strings.Cut(parts[5], "/")
	switch parts[2] + "/" + kind {
	case "iam/user", "iam/root", "sts/federated-user":
		return id, nil
	case "iam/role":
	case "sts/assumed-role":
		i := strings.LastIndexByte(rest, '/')
		if i < 0 {
			return nil, fmt.Errorf("assumed-role arn '%.200s' does not have a role", arn)
		}
		id.CanonicalARN = "arn:" + parts[1] + ":iam::" + parts[4] + ":role/" + rest[:i]
	default:
		return nil, fmt.Errorf("arn %.200s is not a valid one for identities", arn)
	}
	var ok bool
	if id.UserID, id.SessionName, ok = strings.Cut(userID, ":"); !ok || strings.Contains(id.SessionName, ":") {
		return nil, errors.New("malformed UserID")
	}
	return id, nil
}
