package cluster

import (
	"context"
	"net/http"
	"strings"

	"coracle/apiserver/decision"
	"coracle/apiserver/why"
)

// narrate writes a line per refusal to the log: who was refused what, why, and the id to ask `coracle why` about.
//
// Who waits for the server to be ready asks again and again, and is refused until the roles are there. That is no
// news, and not told.
func (c *Cluster) narrate(ctx context.Context, started *latch) {
	records, stop := c.Decisions.Follow()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-records:
			if r.Code != http.StatusForbidden && r.Code != http.StatusUnauthorized {
				continue
			}
			if isProbe(r.Request) && !started.openAt(r.Received) {
				continue
			}
			d := why.Summarize(r)
			c.config.Log.Warn("refused", "user", d.User.Username, "verb", d.Request.Verb,
				"resource", strings.Trim(d.Request.Namespace+"/"+d.Request.Resource+"/"+d.Request.Name, "/"),
				"code", d.Code, "why", d.Why, "id", d.Name)
		}
	}
}

func isProbe(q decision.Request) bool {
	if q.Resource {
		return false
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(q.Path, "/"), "/")
	return first == "readyz" || first == "livez" || first == "healthz"
}
