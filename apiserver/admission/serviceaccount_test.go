package admission

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/catalog"
)

// objects answers look-ups from maps keyed by name.
type objects struct {
	accounts   map[string]*corev1.ServiceAccount
	secrets    map[string]*corev1.Secret
	namespaces map[string]*corev1.Namespace
}

func (o objects) ServiceAccount(_, name string) *corev1.ServiceAccount { return o.accounts[name] }
func (o objects) Secret(_, name string) *corev1.Secret                 { return o.secrets[name] }
func (o objects) Namespace(name string) *corev1.Namespace              { return o.namespaces[name] }

func podKind() *catalog.Kind {
	return &catalog.Kind{
		GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, Resource: "pods", Namespaced: true,
		New: func() runtime.Object { return &corev1.Pod{} },
	}
}

func creating(pod *corev1.Pod) *Attributes {
	return &Attributes{Operation: Create, Kind: podKind(), Namespace: "blue", Name: pod.Name, Object: pod}
}

func account(name string, automount *bool, secrets ...string) *corev1.ServiceAccount {
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "blue", UID: "u-" + "1"}, AutomountServiceAccountToken: automount}
	for _, s := range secrets {
		sa.Secrets = append(sa.Secrets, corev1.ObjectReference{Name: s})
	}
	return sa
}

func tokenSecret(name, uid string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{corev1.ServiceAccountUIDKey: uid}},
		Type:       corev1.SecretTypeServiceAccountToken,
		Data:       map[string][]byte{"token": []byte("t")},
	}
}

func pod(account string, automount *bool) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: corev1.PodSpec{
			ServiceAccountName: account, AutomountServiceAccountToken: automount,
			InitContainers: []corev1.Container{{Name: "i"}}, Containers: []corev1.Container{{Name: "c"}},
		},
	}
}

func TestServiceAccount_MountsTheToken(t *testing.T) {
	world := objects{
		accounts: map[string]*corev1.ServiceAccount{
			"default": account("default", nil, "dockercfg", "stale", "default-token-abcde"),
			"shy":     account("shy", new(false), "shy-token-abcde"),
		},
		secrets: map[string]*corev1.Secret{
			"dockercfg":           {Type: corev1.SecretTypeDockercfg},
			"stale":               tokenSecret("stale", "of another account of that name"),
			"default-token-abcde": tokenSecret("default-token-abcde", "u-1"),
			"shy-token-abcde":     tokenSecret("shy-token-abcde", "u-1"),
		},
	}
	for name, c := range map[string]struct {
		pod    *corev1.Pod
		era    Era
		volume string // prefix of the volume's name, "" for none
	}{
		"classic: the Secret of the account":             {pod("", nil), Classic, "default-token-abcde"},
		"modern: a projected volume":                     {pod("", nil), Modern, "kube-api-access-"},
		"the account says no":                            {pod("shy", nil), Classic, ""},
		"the pod's no wins over the account's silence":   {pod("default", new(false)), Modern, ""},
		"the pod's yes wins over the account's no":       {pod("shy", new(true)), Classic, "shy-token-abcde"},
		"the pod's yes wins over the account's no, 1.24": {pod("shy", new(true)), Modern, "kube-api-access-"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &ServiceAccount{Accounts: world, Era: c.era}
			a := creating(c.pod)
			if err := p.Mutate(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			if c.volume == "" {
				if len(c.pod.Spec.Volumes)+len(c.pod.Spec.Containers[0].VolumeMounts) != 0 {
					t.Errorf("volumes %v, mounts %v", c.pod.Spec.Volumes, c.pod.Spec.Containers[0].VolumeMounts)
				}
				return
			}
			if len(c.pod.Spec.Volumes) != 1 || !strings.HasPrefix(c.pod.Spec.Volumes[0].Name, c.volume) {
				t.Fatalf("volumes: %v", c.pod.Spec.Volumes)
			}
			want := []corev1.VolumeMount{{Name: c.pod.Spec.Volumes[0].Name, ReadOnly: true, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"}}
			for _, containers := range [][]corev1.Container{c.pod.Spec.InitContainers, c.pod.Spec.Containers} {
				if diff := cmp.Diff(want, containers[0].VolumeMounts); diff != "" {
					t.Error(diff)
				}
			}
			if len(a.changes) == 0 {
				t.Error("the change is not in the record")
			}
		})
	}
}

func TestServiceAccount_LeavesAMountThatIsThere(t *testing.T) {
	world := objects{accounts: map[string]*corev1.ServiceAccount{"default": account("default", nil)}}
	p := pod("", nil)
	own := corev1.VolumeMount{Name: "mine", MountPath: tokenMountPath}
	p.Spec.InitContainers = nil
	p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{own}
	if err := (&ServiceAccount{Accounts: world, Era: Modern}).Mutate(t.Context(), creating(p)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]corev1.VolumeMount{own}, p.Spec.Containers[0].VolumeMounts); diff != "" || len(p.Spec.Volumes) != 0 {
		t.Errorf("%s volumes %v", diff, p.Spec.Volumes)
	}
}

func TestServiceAccount_RefusesAMissingAccount(t *testing.T) {
	err := (&ServiceAccount{Accounts: objects{}, Era: Modern}).Mutate(t.Context(), creating(pod("missing", nil)))
	want := `pods "web" is forbidden: error looking up service account blue/missing: serviceaccount "missing" not found`
	if err == nil || err.Error() != want || !apierrors.IsForbidden(err) {
		t.Errorf("the error is %v, want %s", err, want)
	}
}

// The default account of a new namespace is on its way: it is waited for, but not for ever.
func TestServiceAccount_WaitsForTheDefaultAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := objects{accounts: map[string]*corev1.ServiceAccount{}}
		plugin := &ServiceAccount{Accounts: slow{world, time.Now().Add(50 * time.Millisecond)}, Era: Modern}
		if err := plugin.Mutate(t.Context(), creating(pod("", nil))); err != nil {
			t.Error(err)
		}
		begun := time.Now()
		plugin.Accounts = world
		if err := plugin.Mutate(t.Context(), creating(pod("", nil))); !apierrors.IsForbidden(err) {
			t.Errorf("the error is %v", err)
		}
		if took := time.Since(begun); took > accountPatience {
			t.Errorf("it waited for %s", took)
		}
	})
}

// slow has a default account from some moment on.
type slow struct {
	objects
	from time.Time
}

func (s slow) ServiceAccount(ns, name string) *corev1.ServiceAccount {
	if name == "default" && !time.Now().Before(s.from) {
		return account("default", nil)
	}
	return s.objects.ServiceAccount(ns, name)
}

func TestServiceAccount_ChecksSecretsWhereTheAccountAsksForIt(t *testing.T) {
	strict := account("strict", new(false), "listed")
	strict.Annotations = map[string]string{enforceMountable: "true"}
	world := objects{accounts: map[string]*corev1.ServiceAccount{"strict": strict}}
	p := pod("strict", nil)
	p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "other"}}}}
	err := (&ServiceAccount{Accounts: world, Era: Modern}).Mutate(t.Context(), creating(p))
	want := `pods "web" is forbidden: volume with secret.secretName="other" is not allowed because service account strict does not reference that secret`
	if err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
	p.Spec.Volumes[0].Secret.SecretName = "listed"
	if err := (&ServiceAccount{Accounts: world, Era: Modern}).Mutate(t.Context(), creating(p)); err != nil {
		t.Error(err)
	}
}

func TestNamespaceLifecycle(t *testing.T) {
	world := objects{namespaces: map[string]*corev1.Namespace{
		"blue": {Status: corev1.NamespaceStatus{Phase: corev1.NamespaceActive}},
		"gone": {Status: corev1.NamespaceStatus{Phase: corev1.NamespaceTerminating}},
	}}
	namespaces := &catalog.Kind{GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, Resource: "namespaces"}
	for name, c := range map[string]struct {
		a    Attributes
		want string
	}{
		"creating in an active namespace":       {Attributes{Operation: Create, Kind: podKind(), Namespace: "blue", Name: "web"}, ""},
		"creating in one that does not exist":   {Attributes{Operation: Create, Kind: podKind(), Namespace: "none", Name: "web"}, `namespaces "none" not found`},
		"creating in one that is being deleted": {Attributes{Operation: Create, Kind: podKind(), Namespace: "gone", Name: "web"}, `pods "web" is forbidden: unable to create new content in namespace gone because it is being terminated`},
		"deleting in one that is being deleted": {Attributes{Operation: Delete, Kind: podKind(), Namespace: "gone", Name: "web"}, ""},
		"updating in one that is being deleted": {Attributes{Operation: Update, Kind: podKind(), Namespace: "gone", Name: "web"}, ""},
		"deleting kube-system":                  {Attributes{Operation: Delete, Kind: namespaces, Name: "kube-system"}, `namespaces "kube-system" is forbidden: this namespace may not be deleted`},
		"deleting another namespace":            {Attributes{Operation: Delete, Kind: namespaces, Name: "blue"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := NamespaceLifecycle{Namespaces: world}.Mutate(t.Context(), &c.a)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
