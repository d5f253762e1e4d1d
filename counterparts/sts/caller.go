package sts

import (
	"crypto/sha256"
	"encoding/base32"

	"coracle/counterparts/people"
)

// caller is whose a key is, as GetCallerIdentity tells it.
type caller struct {
	Arn     string
	UserID  string `json:"UserId" xml:"UserId"`
	Account string
}

// callerOf names a user, or somebody who has taken a role: the name of the person is then that of the session.
func callerOf(account string, p *people.Person, key *people.AccessKey) caller {
	if key.Role == "" {
		return caller{"arn:aws:iam::" + account + ":user/" + p.Name, uniqueID("AIDA", account, p.Name), account}
	}
	return caller{
		"arn:aws:sts::" + account + ":assumed-role/" + key.Role + "/" + p.Name,
		uniqueID("AROA", account, key.Role) + ":" + p.Name, account,
	}
}

// uniqueID looks like one of IAM's, which begin with what they are of. Here it follows from the name.
func uniqueID(prefix, account, name string) string {
	sum := sha256.Sum256([]byte(prefix + "/" + account + "/" + name))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:17]
}
