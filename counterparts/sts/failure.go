package sts

import (
	"fmt"
	"net/http"
	"time"

	"coracle/counterparts/sts/sigv4"
)

// failure is an answer that is none, with STS' own codes and sentences.
type failure struct {
	status        int
	code, message string
}

func unsigned() *failure {
	return &failure{http.StatusForbidden, "MissingAuthenticationToken", sigv4.ErrUnsigned.Error()}
}

func incomplete(err error) *failure {
	return &failure{http.StatusBadRequest, "IncompleteSignature", err.Error()}
}

func unknownKey() *failure {
	return &failure{http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid."}
}

func expiredKey() *failure {
	return &failure{http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired"}
}

func mismatch() *failure {
	return wrongSignature("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}

func wrongSignature(message string) *failure {
	return &failure{http.StatusForbidden, "SignatureDoesNotMatch", message}
}

func unknownAction(action, version string) *failure {
	return &failure{http.StatusBadRequest, "InvalidAction", fmt.Sprintf("Could not find operation %.64s for version %.64s", action, version)}
}

func throttled() *failure {
	return &failure{http.StatusBadRequest, "Throttling", "Rate exceeded"}
}

// outOfTime tells what is wrong with the date of a signature, if anything.
func outOfTime(date, now time.Time) *failure {
	const form = "20060102T150405Z"
	now = now.UTC()
	if earliest := now.Add(-lifetime); date.Before(earliest) {
		return wrongSignature(fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 15 min.)", date.Format(form), earliest.Format(form), now.Format(form)))
	}
	if latest := now.Add(ahead); date.After(latest) {
		return wrongSignature(fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 5 min.)", date.Format(form), latest.Format(form), now.Format(form)))
	}
	return nil
}
