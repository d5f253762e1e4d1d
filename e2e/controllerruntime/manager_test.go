package controllerruntime

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

const patience = 30 * time.Second

// cluster is Coracle, as envtest finds an existing cluster.
func cluster(t *testing.T) *rest.Config {
	t.Helper()
	binary, err := filepath.Abs(cmp.Or(os.Getenv("CORACLE"), "../../bin/coracle"))
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	cmd := exec.Command(binary, "up", "--data-dir", data, "--secure-port", "0", "--nodes", "0")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	var config *rest.Config
	eventually(t, "the server is ready", func() error {
		if config, err = clientcmd.BuildConfigFromFlags("", filepath.Join(data, "kubeconfigs", "admin.conf")); err != nil {
			return err
		}
		client, err := rest.HTTPClientFor(config)
		if err != nil {
			return err
		}
		answer, err := client.Get(config.Host + "/readyz")
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode != 200 {
			return fmt.Errorf("/readyz answers %s", answer.Status)
		}
		return nil
	})
	return config
}

func eventually(t *testing.T, what string, is func() error) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; <-tick.C {
		err := is()
		if err == nil {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("after %s it is not so that %s: %v", patience, what, err)
		}
	}
}

// reconciler keeps a ConfigMap for each boat, and says so in its status.
type reconciler struct {
	client.Client
	name string

	mu   sync.Mutex
	sunk []string // the boats that it has cleaned up after
	did  map[string]bool
}

const finalizer = "example.com/harbour-master"

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	r.mu.Lock()
	r.did[request.Name] = true
	r.mu.Unlock()
	boat := &Boat{}
	if err := r.Get(ctx, request.NamespacedName, boat); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !boat.DeletionTimestamp.IsZero() {
		if controllerutil.RemoveFinalizer(boat, finalizer) {
			r.mu.Lock()
			r.sunk = append(r.sunk, boat.Name)
			r.mu.Unlock()
			return ctrl.Result{}, r.Update(ctx, boat)
		}
		return ctrl.Result{}, nil
	}
	if controllerutil.AddFinalizer(boat, finalizer) {
		if err := r.Update(ctx, boat); err != nil {
			return ctrl.Result{}, err
		}
	}
	papers := corev1ac.ConfigMap(boat.Name, boat.Namespace).
		WithData(map[string]string{"harbour": boat.Spec.Harbour, "crew": fmt.Sprint(boat.Spec.Crew)}).
		WithOwnerReferences(metav1ac.OwnerReference().WithAPIVersion(boats.String()).WithKind("Boat").WithName(boat.Name).WithUID(boat.UID).WithController(true).WithBlockOwnerDeletion(true))
	if err := r.Apply(ctx, papers, client.FieldOwner("boats"), client.ForceOwnership); err != nil {
		return ctrl.Result{}, err
	}
	boat.Status = BoatStatus{Phase: "Afloat", ObservedGeneration: boat.Generation}
	return ctrl.Result{}, r.Status().Update(ctx, boat)
}

func (r *reconciler) has(t *testing.T, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.did[name] {
		return fmt.Errorf("%s has not seen %s", r.name, name)
	}
	return nil
}

func start(t *testing.T, config *rest.Config, scheme *runtime.Scheme, name string, hooks *envtest.WebhookInstallOptions) (manager.Manager, *reconciler, context.CancelFunc) {
	t.Helper()
	options := ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"},
		LeaderElection: true, LeaderElectionID: "boats.example.com", LeaderElectionNamespace: "default", LeaderElectionReleaseOnCancel: true,
		LeaseDuration: new(5 * time.Second), RenewDeadline: new(3 * time.Second), RetryPeriod: new(200 * time.Millisecond),
	}
	options.Controller.SkipNameValidation = new(true) // the second manager is in the same process
	if hooks != nil {
		options.WebhookServer = webhook.NewServer(webhook.Options{Host: hooks.LocalServingHost, Port: hooks.LocalServingPort, CertDir: hooks.LocalServingCertDir})
	}
	mgr, err := ctrl.NewManager(config, options)
	if err != nil {
		t.Fatal(err)
	}
	if err := mgr.GetFieldIndexer().IndexField(t.Context(), &Boat{}, "spec.harbour", func(o client.Object) []string {
		return []string{o.(*Boat).Spec.Harbour}
	}); err != nil {
		t.Fatal(err)
	}
	r := &reconciler{Client: mgr.GetClient(), name: name, did: map[string]bool{}}
	if err := ctrl.NewControllerManagedBy(mgr).For(&Boat{}).Owns(&corev1.ConfigMap{}, builder.OnlyMetadata).Complete(r); err != nil {
		t.Fatal(err)
	}
	if hooks != nil {
		if err := ctrl.NewWebhookManagedBy(mgr, &Boat{}).WithDefaulter(rules{}).WithValidator(rules{}).Complete(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the manager %s ended: %v", name, err)
		}
	})
	t.Cleanup(stop)
	return mgr, r, context.CancelFunc(stop)
}

func TestOperator(t *testing.T) {
	log.SetLogger(zap.New(zap.WriteTo(t.Output())))
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	addBoats(scheme)
	env := &envtest.Environment{
		UseExistingCluster: new(true), Config: cluster(t), Scheme: scheme,
		CRDDirectoryPaths: []string{"testdata/crd"}, ErrorIfCRDPathMissing: true,
		WebhookInstallOptions: envtest.WebhookInstallOptions{Paths: []string{"testdata/webhook"}},
	}
	env.CRDInstallOptions.CleanUpAfterUse = true
	config, err := env.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	first, boss, resign := start(t, config, scheme, "the first", &env.WebhookInstallOptions)
	select {
	case <-first.Elected():
	case <-time.After(patience):
		t.Fatal("nobody was elected")
	}
	eventually(t, "the webhooks are served", func() error { return first.GetWebhookServer().StartedChecker()(nil) })
	ctx, c := t.Context(), first.GetClient()

	boat := &Boat{ObjectMeta: metav1.ObjectMeta{Name: "curragh", Namespace: "default"}, Spec: BoatSpec{Harbour: "galway"}}
	if err := c.Create(ctx, boat); err != nil {
		t.Fatal(err)
	}
	if boat.Spec.Crew != 3 {
		t.Errorf("the defaulter gave a crew of %d", boat.Spec.Crew)
	}
	eventually(t, "the boat is afloat, and holds on to its finalizer", func() error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(boat), boat); err != nil {
			return err
		}
		if boat.Status.Phase != "Afloat" || boat.Status.ObservedGeneration != boat.Generation || !controllerutil.ContainsFinalizer(boat, finalizer) {
			return fmt.Errorf("%+v", boat)
		}
		return nil
	})

	// The webhooks' refusals.
	refused := boat.DeepCopyObject().(*Boat)
	refused.Spec.Harbour = "cork"
	wantForbidden(t, c.Update(ctx, refused), `admission webhook "validate.boats.example.com" denied the request: curragh is at home in galway`)
	wantForbidden(t, c.Create(ctx, &Boat{ObjectMeta: metav1.ObjectMeta{Name: "ark", Namespace: "default"}, Spec: BoatSpec{Harbour: "atlantis"}}),
		`admission webhook "validate.boats.example.com" denied the request: there is no such harbour`)

	// The owned object is watched as metadata alone, and comes back.
	papers := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "curragh", Namespace: "default"}}
	live := first.GetAPIReader()
	if err := live.Get(ctx, client.ObjectKeyFromObject(papers), papers); err != nil {
		t.Fatal(err)
	}
	if !metav1.IsControlledBy(papers, boat) || papers.Data["crew"] != "3" {
		t.Errorf("the papers are %+v", papers)
	}
	was := papers.UID
	if err := c.Delete(ctx, papers); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the papers are made again", func() error {
		again := &corev1.ConfigMap{}
		if err := live.Get(ctx, client.ObjectKeyFromObject(papers), again); err != nil {
			return err
		}
		if again.UID == was {
			return fmt.Errorf("they are the old ones")
		}
		return nil
	})
	patch := client.MergeFrom(boat.DeepCopyObject().(*Boat))
	boat.Spec.Crew = 7
	if err := c.Patch(ctx, boat, patch); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the papers say so", func() error {
		if err := live.Get(ctx, client.ObjectKeyFromObject(papers), papers); err != nil {
			return err
		}
		if papers.Data["crew"] != "7" {
			return fmt.Errorf("they say %v", papers.Data)
		}
		return nil
	})

	// The index.
	if err := c.Create(ctx, &Boat{ObjectMeta: metav1.ObjectMeta{Name: "hooker", Namespace: "default", Labels: map[string]string{"keep": "true"}}, Spec: BoatSpec{Harbour: "kinvara"}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the index finds one boat of two", func() error {
		var there BoatList
		if err := c.List(ctx, &there, client.MatchingFields{"spec.harbour": "kinvara"}); err != nil {
			return err
		}
		if len(there.Items) != 1 || there.Items[0].Name != "hooker" {
			return fmt.Errorf("it finds %d", len(there.Items))
		}
		return nil
	})

	// A second manager waits until the first resigns. The webhooks stay where they are: with the first, which is gone.
	second, deputy, _ := start(t, config, scheme, "the second", nil)
	select {
	case <-second.Elected():
		t.Error("two are elected")
	case <-time.After(time.Second):
	}
	if err := deputy.has(t, "curragh"); err == nil {
		t.Error("who is not elected reconciles")
	}
	if err := c.Delete(ctx, boat); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the boat is gone, and its papers with it", func() error {
		for _, o := range []client.Object{&Boat{}, &corev1.ConfigMap{}} {
			if err := live.Get(ctx, client.ObjectKeyFromObject(boat), o); !apierrors.IsNotFound(err) {
				return fmt.Errorf("%T: %v", o, err)
			}
		}
		boss.mu.Lock()
		defer boss.mu.Unlock()
		if len(boss.sunk) != 1 {
			return fmt.Errorf("the finalizer did its work %d times", len(boss.sunk))
		}
		return nil
	})
	wantForbidden(t, c.Delete(ctx, &Boat{ObjectMeta: metav1.ObjectMeta{Name: "hooker", Namespace: "default"}}),
		`admission webhook "validate.boats.example.com" denied the request: it is to be kept`)
	resign()
	select {
	case <-second.Elected():
	case <-time.After(patience):
		t.Fatal("the second was not elected")
	}
	eventually(t, "the second reconciles", func() error { return deputy.has(t, "hooker") })
	c = second.GetClient()
	hooker := &Boat{}
	eventually(t, "the second can read", func() error {
		return c.Get(ctx, client.ObjectKey{Namespace: "default", Name: "hooker"}, hooker)
	})
	hooker.Spec.Crew = 4
	if err := c.Update(ctx, hooker); err == nil || !strings.Contains(err.Error(), `failed calling webhook "default.boats.example.com"`) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("without its webhook the boat can be changed: %v", err)
	}
}

func wantForbidden(t *testing.T, err error, want string) {
	t.Helper()
	if !apierrors.IsForbidden(err) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
