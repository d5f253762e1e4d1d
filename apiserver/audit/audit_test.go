package audit

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"the defaults":                    {change: func(*Options) {}},
		"nothing is checked of no sink":   {change: func(o *Options) { o.Log.Path, o.Log.Format = "", "rhyme" }},
		"an unknown format":               {change: func(o *Options) { o.Log.Format = "rhyme" }, want: `invalid audit log format rhyme, allowed formats are "legacy,json"`},
		"an unknown mode":                 {change: func(o *Options) { o.Webhook.Sink.Mode = "some" }, want: `invalid audit webhook mode some, allowed modes are "batch,blocking,blocking-strict"`},
		"a buffer of nothing":             {change: func(o *Options) { o.Webhook.Sink.Batch.BufferSize = 0 }, want: "invalid audit batch webhook buffer size 0, must be a positive number"},
		"which does not matter unbatched": {change: func(o *Options) { o.Log.Sink.Batch.BufferSize = 0 }},
		"a batch of nothing":              {change: func(o *Options) { o.Webhook.Sink.Batch.MaxBatchSize = -1 }, want: "invalid audit batch webhook max batch size -1, must be a positive number"},
		"no batches a second":             {change: func(o *Options) { o.Webhook.Sink.Batch.ThrottleQPS = 0 }, want: "invalid audit batch webhook throttle QPS 0, must be a positive number"},
		"no burst":                        {change: func(o *Options) { o.Webhook.Sink.Batch.ThrottleBurst = 0 }, want: "invalid audit batch webhook throttle burst 0, must be a positive number"},
		"events of no size":               {change: func(o *Options) { o.Log.Sink.Limits.MaxEventSize = 0 }, want: "invalid audit truncate log max event size 0, must be a positive number"},
		"batches smaller than an event":   {change: func(o *Options) { o.Log.Sink.Limits.MaxBatchSize = 1 }, want: "invalid audit truncate log max batch size 1, must be greater than max event size (102400)"},
		"a negative age":                  {change: func(o *Options) { o.Log.MaxAge = -1 }, want: "--audit-log-maxage -1 can't be a negative number"},
		"another version":                 {change: func(o *Options) { o.Log.Version = "audit.k8s.io/v1beta1" }, want: `invalid audit log version "audit.k8s.io/v1beta1", allowed versions are ["audit.k8s.io/v1"]`},
	} {
		t.Run(name, func(t *testing.T) {
			o := DefaultOptions()
			o.Log.Path, o.Webhook.ConfigFile = "-", "hook.conf"
			c.change(&o)
			got := ""
			if err := o.Validate(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// write writes a file and returns its path.
func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const everything = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"

func TestOpen_NothingWithoutPolicyOrSink(t *testing.T) {
	o := DefaultOptions()
	o.Log.Path = "-"
	if log, err := Open(o, time.Now); log != nil || err != nil {
		t.Errorf("without a policy: %v, %v", log, err)
	}
	o = DefaultOptions()
	o.PolicyFile = write(t, everything)
	if log, err := Open(o, time.Now); log != nil || err != nil {
		t.Errorf("without a sink: %v, %v", log, err)
	}
}

func TestOpen_RefusesWhatItCannotUse(t *testing.T) {
	policy := write(t, everything)
	for name, c := range map[string]struct {
		change func(*Options)
		want   []string
	}{
		"a policy that is not there":   {func(o *Options) { o.PolicyFile = "/none/policy.yaml" }, []string{"--audit-policy-file /none/policy.yaml", "no such file"}},
		"a policy of another kind":     {func(o *Options) { o.PolicyFile = write(t, "apiVersion: v1\nkind: Pod\n") }, []string{"--audit-policy-file"}},
		"a policy without rules":       {func(o *Options) { o.PolicyFile = write(t, "apiVersion: audit.k8s.io/v1\nkind: Policy\n") }, []string{"0 rules"}},
		"a rule without a level":       {func(o *Options) { o.PolicyFile = write(t, strings.Replace(everything, "level: Metadata", "", 1)) }, []string{"rules[0].level"}},
		"a file in a file":             {func(o *Options) { o.Log.Path = policy + "/audit.log" }, []string{"--audit-log-path " + policy + "/audit.log", "not a directory"}},
		"a webhook without kubeconfig": {func(o *Options) { o.Webhook.ConfigFile = "/none/hook.conf" }, []string{"--audit-webhook-config-file", "/none/hook.conf"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := DefaultOptions()
			o.PolicyFile, o.Log.Path = policy, "-"
			c.change(&o)
			_, err := Open(o, time.Now)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want something of %q", err, want)
				}
			}
		})
	}
}

// run runs a log; the function returned ends it and returns when that is done.
func run(t *testing.T, o Options) (*Log, func()) {
	t.Helper()
	log, err := Open(o, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- log.Run(ctx) }()
	return log, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func event(verb string) *auditinternal.Event {
	return &auditinternal.Event{Level: auditinternal.LevelMetadata, AuditID: "1", Stage: auditinternal.StageResponseComplete, Verb: verb, RequestURI: "/a\n/b"}
}

func TestLog_OneLineAnEventForItsOwnerAlone(t *testing.T) {
	for _, mode := range []string{Batch, Blocking, BlockingStrict} {
		for _, size := range []int{0, 1} {
			o := DefaultOptions()
			o.PolicyFile, o.Log.Path = write(t, everything), filepath.Join(t.TempDir(), "deep", "audit.log")
			o.Log.Sink.Mode, o.Log.MaxSize = mode, size
			log, end := run(t, o)
			if !log.ProcessEvents(event("get")) || !log.ProcessEvents(event("list")) {
				t.Error("events were not taken")
			}
			end()
			data, err := os.ReadFile(o.Log.Path)
			if err != nil {
				t.Fatal(err)
			}
			var verbs []string
			for line := range strings.Lines(string(data)) {
				var e auditv1.Event
				if err := json.Unmarshal([]byte(line), &e); err != nil {
					t.Fatal(err)
				}
				verbs = append(verbs, e.Verb)
			}
			if diff := cmp.Diff([]string{"get", "list"}, verbs); diff != "" {
				t.Errorf("mode %s (-want +got):\n%s", mode, diff)
			}
			if info, err := os.Stat(o.Log.Path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode of the file: %v, %v", info.Mode(), err)
			}
		}
	}
}

// service is a webhook that refuses the first requests.
type service struct {
	mu     sync.Mutex
	refuse int
	verbs  []string // of the events that were taken
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse > 0 {
		s.refuse--
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	body, _ := io.ReadAll(r.Body)
	var list auditv1.EventList
	if err := json.Unmarshal(body, &list); err != nil || list.Kind != "EventList" || list.APIVersion != "audit.k8s.io/v1" {
		http.Error(w, "what is that", http.StatusBadRequest)
		return
	}
	for _, e := range list.Items {
		s.verbs = append(s.verbs, e.Verb)
	}
}

func kubeconfig(t *testing.T, server *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hook.conf")
	config := clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"hook": {Server: server.URL, InsecureSkipTLSVerify: true}},
		Contexts:       map[string]*clientcmdapi.Context{"hook": {Cluster: "hook"}},
		CurrentContext: "hook",
	}
	if err := clientcmd.WriteToFile(config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWebhook(t *testing.T) {
	for name, c := range map[string]struct {
		mode   string
		refuse int
		taken  bool
		want   []string
	}{
		"what waits for a batch is sent at the end":        {mode: Batch, taken: true, want: []string{"get", "list"}},
		"an event at a time where requests wait":           {mode: Blocking, taken: true, want: []string{"get", "list"}},
		"what was refused is sent again":                   {mode: BlockingStrict, refuse: 2, taken: true, want: []string{"get", "list"}},
		"requests go on when it fails":                     {mode: Blocking, refuse: 100, taken: true},
		"unless they are not to when it cannot be written": {mode: BlockingStrict, refuse: 100, taken: false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &service{refuse: c.refuse}
			server := httptest.NewTLSServer(s)
			defer server.Close()
			o := DefaultOptions()
			o.PolicyFile, o.Webhook.ConfigFile = write(t, everything), kubeconfig(t, server)
			o.Webhook.Sink.Mode, o.Webhook.InitialBackoff = c.mode, time.Millisecond
			log, end := run(t, o)
			for _, verb := range []string{"get", "list"} {
				if got := log.ProcessEvents(event(verb)); got != c.taken {
					t.Errorf("%s: taken is %v, want %v", verb, got, c.taken)
				}
			}
			end()
			s.mu.Lock()
			defer s.mu.Unlock()
			slices.Sort(s.verbs) // batches are sent side by side
			if diff := cmp.Diff(c.want, s.verbs); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
