package cluster

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/decision"
)

func TestNarrate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := &Cluster{Decisions: decision.NewLog(10), config: Config{Log: slog.New(slog.NewTextHandler(&out, nil))}}
		started := newLatch()
		ctx, stop := context.WithCancel(t.Context())
		go c.narrate(ctx, started)
		synctest.Wait()
		ask := func(id, path string, code int) {
			r := &decision.Record{ID: id, Code: code, Received: time.Now(), User: &user.DefaultInfo{Name: "ann"}}
			r.Request.Path, r.Request.Verb = path, "get"
			c.Decisions.Keep(r)
			synctest.Wait()
		}
		ask("probe-too-early", "/readyz", 403)
		ask("probe-of-one-check-too-early", "/livez/ping", 401)
		ask("early-and-no-probe", "/metrics", 403)
		ask("looks-like-a-probe", "/readyzz", 403)
		time.Sleep(time.Second)
		started.open()
		time.Sleep(time.Second)
		ask("allowed", "/metrics", 200)
		ask("probe-later", "/readyz", 403)
		stop()
		synctest.Wait()
		for id, told := range map[string]bool{
			"probe-too-early": false, "probe-of-one-check-too-early": false, "early-and-no-probe": true, "looks-like-a-probe": true,
			"allowed": false, "probe-later": true,
		} {
			if strings.Contains(out.String(), "id="+id+"\n") != told {
				t.Errorf("%s: told is %v, want %v; the log says:\n%s", id, !told, told, out.String())
			}
		}
	})
}
