package tokenreview

import (
	"context"
	"encoding/json"
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"

	"coracle/counterparts/people"
)

// maxBody bounds a question, in bytes.
const maxBody = 1 << 20

// Reviewer says whose a token is. The audiences are those that it must be good for one of.
type Reviewer interface {
	Review(ctx context.Context, token string, audiences []string) authenticationv1.TokenReviewStatus
}

// Handler answers TokenReviews.
func Handler(reviewer Reviewer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "a TokenReview is sent by POST", http.StatusMethodNotAllowed)
			return
		}
		review := &authenticationv1.TokenReview{}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(review); err != nil {
			http.Error(w, "the body is no TokenReview", http.StatusBadRequest) // the error might quote the token
			return
		}
		group := authenticationv1.GroupName
		if review.Kind != "TokenReview" || review.APIVersion != group+"/v1" && review.APIVersion != group+"/v1beta1" {
			http.Error(w, "the body is no TokenReview of authentication.k8s.io/v1 or v1beta1", http.StatusBadRequest)
			return
		}
		review.Status = reviewer.Review(r.Context(), review.Spec.Token, review.Spec.Audiences)
		review.Spec = authenticationv1.TokenReviewSpec{} // the token goes no further than it must
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(review) // that the asker has gone is no concern of ours
	})
}

// Faults are those that the service has.
func Faults() []people.Fault { return []people.Fault{people.WrongAudience} }

// Known knows the tokens of a file.
type Known struct{ People *people.File }

// Review looks the token up.
func (k Known) Review(ctx context.Context, token string, audiences []string) authenticationv1.TokenReviewStatus {
	p := k.People.Content(ctx).ByToken(token)
	if p == nil {
		return authenticationv1.TokenReviewStatus{}
	}
	if k.People.Misbehaves(ctx, people.WrongAudience) {
		audiences = []string{"somebody-else"}
	}
	extra := make(map[string]authenticationv1.ExtraValue, len(p.Extra))
	for key, values := range p.Extra {
		extra[key] = values
	}
	return authenticationv1.TokenReviewStatus{
		Authenticated: true, Audiences: audiences,
		User: authenticationv1.UserInfo{Username: p.Name, UID: p.UID, Groups: p.Groups, Extra: extra},
	}
}
