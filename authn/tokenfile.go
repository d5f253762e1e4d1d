package authn

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apiserver/pkg/authentication/user"
)

// TokenFile accepts the bearer tokens of a CSV file, which kube-apiserver's --token-auth-file names. A line is
//
//	token,user name,user uid,"group1,group2"
//
// of which the groups may be left out. Such tokens never expire, and stand in the file in the clear.
type TokenFile struct {
	*File[tokenTable]
}

// tokenTable finds a token by its hash: the time that takes does not tell how much of a guessed token is right.
type tokenTable struct {
	users    map[[sha256.Size]byte]user.Info
	warnings []string
}

const whyNotInFile reason = "the token is not in the token file"

// NewTokenFile reads the file. An error names the line.
func NewTokenFile(path string) (*TokenFile, error) {
	f, err := OpenFile(path, parseTokens)
	if err != nil {
		return nil, err
	}
	return &TokenFile{f}, nil
}

// Name is `tokenfile`.
func (*TokenFile) Name() string { return "tokenfile" }

// Authenticate accepts tokens that are in the file and passes on all others.
func (t *TokenFile) Authenticate(_ context.Context, c *Credentials) Answer {
	if u, ok := t.Get().users[sha256.Sum256([]byte(c.Token))]; ok {
		return Answer{Verdict: Accepted, User: u}
	}
	return Answer{Why: whyNotInFile}
}

// Warnings name the lines that can hardly be meant as they are.
func (t *TokenFile) Warnings() []string { return t.Get().warnings }

// parseTokens reads the table. As in Kubernetes a line without a token is skipped, and of two lines with
// the same token the later one counts.
func parseTokens(data []byte) (tokenTable, error) {
	table := tokenTable{users: map[[sha256.Size]byte]user.Info{}}
	err := eachRecord(data, 3, "token,user,uid[,groups]", func(line int, record []string) {
		if record[0] == "" {
			table.warnings = append(table.warnings, fmt.Sprintf("line %d has no token before its first comma, and is skipped", line))
			return
		}
		sum := sha256.Sum256([]byte(record[0]))
		if _, ok := table.users[sum]; ok {
			table.warnings = append(table.warnings, fmt.Sprintf("line %d has the same token as a line above it, which it replaces", line))
		}
		u := &user.DefaultInfo{Name: record[1], UID: record[2]}
		if len(record) > 3 {
			u.Groups = strings.Split(record[3], ",")
		}
		table.users[sum] = authenticated(u)
	})
	return table, err
}

// eachRecord reads a CSV file with at least so many columns. Errors name the line, and never quote it: it holds a secret.
func eachRecord(data []byte, columns int, layout string, do func(line int, record []string)) error {
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = -1
	for {
		record, err := r.Read()
		if err == io.EOF {
			return nil
		}
		if pe, ok := errors.AsType[*csv.ParseError](err); ok {
			return fmt.Errorf("line %d is not CSV: %w (groups, of which there may be several, go into one pair of quotes)", pe.Line, pe.Err)
		}
		if err != nil {
			return err
		}
		line, _ := r.FieldPos(0)
		if len(record) < columns {
			return fmt.Errorf("line %d must have at least %d columns (%s), found %d", line, columns, layout, len(record))
		}
		do(line, record)
	}
}
