package authn

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"

	"k8s.io/apiserver/pkg/authentication/user"
)

// BasicFile accepts user names and passwords of a CSV file (RFC 7617), as kube-apiserver did until version 1.18. A line is
//
//	password,user name,user uid,"group1,group2"
//
// It is for lessons about how it was: the password goes along with each request, and the only way to take it back is
// to edit the file.
type BasicFile struct {
	*File[passwordTable]
}

// passwordTable holds the hashes of passwords, by user name.
type passwordTable map[string]password

type password struct {
	sum  [sha256.Size]byte
	user user.Info
}

const (
	whyNoBasic       reason = "the request has no user name and password"
	whyWrongPassword reason = "invalid username/password combination"
)

// NewBasicFile reads the file. An error names the line.
func NewBasicFile(path string) (*BasicFile, error) {
	f, err := OpenFile(path, parsePasswords)
	if err != nil {
		return nil, err
	}
	return &BasicFile{f}, nil
}

// Name is `basic`.
func (*BasicFile) Name() string { return "basic" }

// Authenticate accepts a right password, refuses a wrong one, and passes on requests without. Nobody learns from the
// answer, or from the time it takes, whether it was the user or the password that is wrong.
func (b *BasicFile) Authenticate(_ context.Context, c *Credentials) Answer {
	name, given, ok := (&http.Request{Header: c.Header}).BasicAuth()
	if !ok {
		return Answer{Why: whyNoBasic}
	}
	entry, known := b.Get()[name]
	sum := sha256.Sum256([]byte(given))
	if subtle.ConstantTimeCompare(sum[:], entry.sum[:]) != 1 || !known {
		return Answer{Verdict: Refused, Why: whyWrongPassword}
	}
	return Answer{Verdict: Accepted, User: entry.user}
}

// parsePasswords reads the table. A user who is there twice is an error, as it was in Kubernetes.
func parsePasswords(data []byte) (passwordTable, error) {
	table := passwordTable{}
	var twice error
	err := eachRecord(data, 3, "password,user,uid[,groups]", func(line int, record []string) {
		if _, ok := table[record[1]]; ok && twice == nil {
			twice = fmt.Errorf("line %d: the user %.80q is there already", line, record[1])
		}
		u := &user.DefaultInfo{Name: record[1], UID: record[2]}
		if len(record) > 3 {
			u.Groups = strings.Split(record[3], ",")
		}
		table[record[1]] = password{sha256.Sum256([]byte(record[0])), authenticated(u)}
	})
	if err == nil {
		err = twice
	}
	return table, err
}
