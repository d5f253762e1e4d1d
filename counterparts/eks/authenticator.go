package eks

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
)

// Authenticator says whose tokens are. It is a Reviewer of package tokenreview.
type Authenticator struct {
	// STS is the HOST:PORT of the only STS that is asked, by the RoundTripper, which has to verify its certificate.
	STS          string
	RoundTripper http.RoundTripper
	// Cluster is the name for which tokens have to be.
	Cluster string
	// AWSAuth reads the data of the ConfigMap kube-system/aws-auth; nil where there is none.
	AWSAuth func(context.Context) (map[string]string, error)
	Now     func() time.Time
	Log     *slog.Logger
}

// Review answers who has the token. Tokens that are not for EKS are somebody else's business.
func (a *Authenticator) Review(ctx context.Context, token string, _ []string) authenticationv1.TokenReviewStatus {
	if !isOurs(token) {
		return authenticationv1.TokenReviewStatus{}
	}
	status, err := a.review(ctx, token)
	if err != nil {
		a.Log.Warn("access denied", "error", err)
		return authenticationv1.TokenReviewStatus{Error: err.Error()}
	}
	a.Log.Info("access granted", "username", status.User.Username, "groups", status.User.Groups, "uid", status.User.UID)
	return status
}

func (a *Authenticator) review(ctx context.Context, token string) (status authenticationv1.TokenReviewStatus, err error) {
	q, err := read(token, a.STS, a.Now())
	if err != nil {
		return status, err
	}
	id, err := a.ask(ctx, q)
	if err != nil {
		return status, err
	}
	data, err := a.AWSAuth(ctx)
	if err != nil {
		return status, fmt.Errorf("the ConfigMap kube-system/aws-auth could not be read: %w", err)
	}
	mappings, err := parseAWSAuth(data)
	if err != nil {
		a.Log.Warn("a part of the ConfigMap kube-system/aws-auth is left out", "error", err)
	}
	username, groups, err := mappings.resolve(id)
	if err != nil {
		return status, err
	}
	return authenticationv1.TokenReviewStatus{Authenticated: true, User: authenticationv1.UserInfo{
		Username: username, Groups: groups,
		UID: "aws-iam-authenticator:" + id.AccountID + ":" + id.UserID,
		Extra: map[string]authenticationv1.ExtraValue{
			"arn": {id.ARN}, "canonicalArn": {id.CanonicalARN}, "sessionName": {id.SessionName}, "accessKeyId": {id.AccessKeyID},
			"principalId": {id.UserID}, "sigs.k8s.io/aws-iam-authenticator/principalId": {id.UserID},
		},
	}}, nil
}
