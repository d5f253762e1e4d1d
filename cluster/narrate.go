package cluster

import (
	"context"
	"net/http"
	"strings"

	"coracle/apiserver/why"
)

// narrate writes a line per refusal to the log: who was refused what, why, and the id to ask `coracle why` about.
func (c *Cluster) narrate(ctx context.Context) {
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
			d := why.Summarize(r)
			c.config.Log.Warn("refused", "user", d.User.Username, "verb", d.Request.Verb,
				"resource", strings.Trim(d.Request.Namespace+"/"+d.Request.Resource+"/"+d.Request.Name, "/"),
				"code", d.Code, "why", d.Why, "id", d.Name)
		}
	}
}
