package webhook

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	admissioncel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"coracle/apiserver/admission/match"
	"coracle/apiserver/callout"
	"coracle/apiserver/catalog"
	"coracle/storage/cache"
)

// Objects are the stored objects, as far as webhooks need them.
type Objects interface {
	// Subscribe calls f for everything of a resource that there is, and for every later change before its writer is told.
	Subscribe(gr schema.GroupResource, f func(*cache.Event))
	match.Namespaces
}

// Config is what the plugins are made of.
type Config struct {
	Catalog *catalog.Catalog
	Objects Objects
	Authz   match.Authorizer // for matchConditions that ask it
	Dial    callout.DialService
	Now     func() time.Time // by which the certificates of webhooks are judged
	Metrics *Metrics
	Log     *slog.Logger
}

// New returns the plugins for the configurations that are stored, now and later.
func New(c Config) (*Mutating, *Validating) {
	base := &asker{Config: c, compiler: sync.OnceValue(func() admissioncel.ConditionCompiler {
		return admissioncel.NewConditionCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	})}
	m, v := &Mutating{asker: base}, &Validating{asker: base}
	base.follow("mutatingwebhookconfigurations", &m.hooks)
	base.follow("validatingwebhookconfigurations", &v.hooks)
	return m, v
}

// hook is one webhook of a configuration, of either kind.
type hook struct {
	admissionregistrationv1.MutatingWebhook
	configuration string
	id            string // of all webhooks of all configurations
	criteria      *match.Criteria
	client        *callout.Client
	conditions    func() match.Conditions
}

// hooks are all webhooks, in the order in which they are asked.
type hooks struct {
	mu      sync.Mutex
	of      map[string][]*hook // by configuration
	current atomic.Pointer[[]*hook]
}

// all returns the webhooks. The slice must not be changed.
func (h *hooks) all() []*hook {
	if p := h.current.Load(); p != nil {
		return *p
	}
	return nil
}

// set makes the webhooks of a configuration those given.
func (h *hooks) set(configuration string, made []*hook) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil {
		h.of = map[string][]*hook{}
	}
	delete(h.of, configuration)
	if len(made) > 0 {
		h.of[configuration] = made
	}
	var all []*hook
	for _, name := range slices.Sorted(maps.Keys(h.of)) {
		all = append(all, h.of[name]...)
	}
	h.current.Store(&all)
}

// follow keeps hooks in step with the configurations of a resource.
func (a *asker) follow(resource string, h *hooks) {
	gr := schema.GroupResource{Group: admissionregistrationv1.GroupName, Resource: resource}
	a.Objects.Subscribe(gr, func(e *cache.Event) {
		v, err := e.Entry.Object()
		if err != nil {
			a.Log.Error("a webhook configuration cannot be read, so its webhooks are not asked", "key", e.Entry.Key, "error", err)
			return
		}
		obj, _ := v.(runtime.Object)
		name, configured := webhooksOf(obj)
		if e.Type == cache.Deleted {
			configured = nil
		}
		made := make([]*hook, len(configured))
		for i := range configured {
			made[i] = a.newHook(name, i, &configured[i])
		}
		h.set(name, made)
	})
}

func webhooksOf(obj runtime.Object) (configuration string, hooks []admissionregistrationv1.MutatingWebhook) {
	switch c := obj.(type) {
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		return c.Name, c.Webhooks
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		return c.Name, catalog.WebhooksOf(c)
	}
	return "", nil
}

func (a *asker) newHook(configuration string, index int, w *admissionregistrationv1.MutatingWebhook) *hook {
	h := &hook{
		MutatingWebhook: *w, configuration: configuration, id: fmt.Sprintf("%s/%s/%d", configuration, w.Name, index),
		client: callout.New(target(&w.ClientConfig), a.Dial, a.Now),
	}
	h.criteria = match.New(w.NamespaceSelector, w.ObjectSelector, w.MatchPolicy)
	for _, rule := range w.Rules {
		h.criteria.Rules = append(h.criteria.Rules, admissionregistrationv1.NamedRuleWithOperations{RuleWithOperations: rule})
	}
	h.conditions = sync.OnceValue(func() match.Conditions { return match.Compile(a.compiler(), w.MatchConditions, false) })
	return h
}

func target(c *admissionregistrationv1.WebhookClientConfig) callout.Target {
	t := callout.Target{CABundle: c.CABundle}
	if c.URL != nil {
		t.URL = *c.URL
	}
	if s := c.Service; s != nil {
		t.Service = &callout.Service{Namespace: s.Namespace, Name: s.Name}
		if s.Path != nil {
			t.Service.Path = *s.Path
		}
		if s.Port != nil {
			t.Service.Port = *s.Port
		}
	}
	return t
}

func (h *hook) mayFail() bool {
	return h.FailurePolicy != nil && *h.FailurePolicy == admissionregistrationv1.Ignore
}

// maxPatience is upstream's bound of timeoutSeconds, for a hook that has none.
const maxPatience = 30 * time.Second

func (h *hook) patience() time.Duration {
	if h.TimeoutSeconds == nil {
		return maxPatience
	}
	return time.Duration(*h.TimeoutSeconds) * time.Second
}
