package kubeletsim

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// cluster is a server and one node, in a bubble with a clock of its own.
type cluster struct {
	*testing.T
	client *fake.Clientset
	config Config
	stop   context.CancelFunc
	ended  chan error

	mu    sync.Mutex
	hooks []hook // guarded by mu, the newest first
}

// hook answers requests in the server's stead, if it says so.
type hook struct {
	verb, resource string
	answer         clienttesting.ReactionFunc
}

// on adds a hook. (The fake's own way to do so may not be used while a node runs.)
func (c *cluster) on(verb, resource string, answer clienttesting.ReactionFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hooks = slices.Insert(c.hooks, 0, hook{verb, resource, answer})
}

func (c *cluster) react(action clienttesting.Action) (handled bool, result runtime.Object, err error) {
	c.mu.Lock()
	hooks := slices.Clone(c.hooks)
	c.mu.Unlock()
	for _, h := range hooks {
		if action.GetVerb() == h.verb && action.GetResource().Resource == h.resource {
			if handled, result, err := h.answer(action); handled {
				return true, result, err
			}
		}
	}
	return false, nil, nil
}

// inCluster runs a test with a node that runs, and afterwards sees to it that the node ends when it should.
func inCluster(t *testing.T, test func(c *cluster), objects ...runtime.Object) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{T: t, client: fake.NewClientset(objects...)}
		c.config = Config{NodeName: "n1", Client: c.client, Dir: dir}
		c.client.PrependReactor("*", "*", c.react)
		c.serveTokens()
		c.serveDeletions()
		c.start()
		defer c.shutdown()
		test(c)
	})
}

func (c *cluster) start() {
	ctx, stop := context.WithCancel(context.Background())
	c.stop, c.ended = stop, make(chan error, 1)
	go func() { c.ended <- New(c.config).Run(ctx) }()
	c.settle()
}

// shutdown ends the node. In the bubble a goroutine that it left behind fails the test.
func (c *cluster) shutdown() {
	c.Helper()
	c.stop()
	if err := <-c.ended; err != nil {
		c.Errorf("Run: %v", err)
	}
}

// settle waits until nobody has anything to do without the clock moving.
func (c *cluster) settle() { synctest.Wait() }

// pass lets time go by.
func (c *cluster) pass(d time.Duration) {
	time.Sleep(d) // of the bubble's clock
	synctest.Wait()
}

// serveTokens answers TokenRequests: the token says which it is and for whom.
func (c *cluster) serveTokens() {
	var number atomic.Int32
	c.on("create", "serviceaccounts", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() != "token" {
			return false, nil, nil
		}
		create := action.(clienttesting.CreateActionImpl)
		request := create.GetObject().(*authv1.TokenRequest).DeepCopy()
		if create.Name == "missing" {
			return true, nil, apierrors.NewNotFound(corev1.Resource("serviceaccounts"), create.Name)
		}
		request.Status.Token = fmt.Sprintf("token %d of %s/%s for pod %s", number.Add(1), action.GetNamespace(), create.Name, request.Spec.BoundObjectRef.UID)
		seconds := int64(3600)
		if request.Spec.ExpirationSeconds != nil {
			seconds = *request.Spec.ExpirationSeconds
		}
		request.Spec.ExpirationSeconds = &seconds
		request.Status.ExpirationTimestamp = metav1.NewTime(time.Now().Add(time.Duration(seconds) * time.Second))
		return true, request, nil
	})
}

// serveDeletions makes the deletion of a pod graceful, as a server does.
func (c *cluster) serveDeletions() {
	c.on("delete", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		options := action.(clienttesting.DeleteActionImpl).GetDeleteOptions()
		name := action.(clienttesting.DeleteAction).GetName()
		object, err := c.client.Tracker().Get(action.GetResource(), action.GetNamespace(), name)
		if err != nil {
			return true, nil, err
		}
		pod := object.(*corev1.Pod).DeepCopy()
		if p := options.Preconditions; p != nil && p.UID != nil && *p.UID != pod.UID {
			return true, nil, apierrors.NewConflict(corev1.Resource("pods"), name, fmt.Errorf("the UID in the precondition does not match"))
		}
		grace := int64(30)
		if options.GracePeriodSeconds != nil {
			grace = *options.GracePeriodSeconds
		} else if pod.Spec.TerminationGracePeriodSeconds != nil {
			grace = *pod.Spec.TerminationGracePeriodSeconds
		}
		if grace == 0 {
			return false, nil, nil
		}
		at := metav1.NewTime(time.Now().Add(time.Duration(grace) * time.Second))
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &at, &grace
		return true, nil, c.client.Tracker().Update(action.GetResource(), pod, action.GetNamespace())
	})
}

// create binds a pod to the node and waits until all has settled.
func (c *cluster) create(pod *corev1.Pod) {
	c.Helper()
	if _, err := c.client.CoreV1().Pods(pod.Namespace).Create(c.Context(), pod, metav1.CreateOptions{}); err != nil {
		c.Fatal(err)
	}
	c.settle()
}

// pod reads a pod of the namespace blue, nil if there is none.
func (c *cluster) pod(name string) *corev1.Pod {
	c.Helper()
	pod, err := c.client.CoreV1().Pods("blue").Get(c.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		c.Fatal(err)
	}
	return pod
}

// state is a pod's phase and what its containers do, in one line.
func (c *cluster) state(name string) string {
	c.Helper()
	pod := c.pod(name)
	if pod == nil {
		return "gone"
	}
	line := []string{string(pod.Status.Phase)}
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses) {
		state := "unknown"
		switch s := status.State; {
		case s.Waiting != nil:
			state = s.Waiting.Reason
		case s.Running != nil:
			state = "running"
		case s.Terminated != nil:
			state = fmt.Sprintf("%s(%d)", s.Terminated.Reason, s.Terminated.ExitCode)
		}
		if status.RestartCount > 0 {
			state += fmt.Sprintf("x%d", status.RestartCount)
		}
		line = append(line, status.Name+"="+state)
	}
	return strings.Join(line, " ")
}

func (c *cluster) wantState(name, want string) {
	c.Helper()
	if got := c.state(name); got != want {
		c.Errorf("pod %s: %s, want %s", name, got, want)
	}
}

// events are those of the namespace blue, in the order in which they came: reason: message (count).
func (c *cluster) events() []string {
	c.Helper()
	list, err := c.client.CoreV1().Events("blue").List(c.Context(), metav1.ListOptions{})
	if err != nil {
		c.Fatal(err)
	}
	byName := map[string]string{}
	for _, event := range list.Items {
		line := event.Reason + ": " + event.Message
		if event.Count > 1 {
			line += fmt.Sprintf(" (%d)", event.Count)
		}
		byName[event.Name[strings.LastIndex(event.Name, "."):]] = line
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		lines = append(lines, byName[name])
	}
	return lines
}

// read reads a file of the data directory, following links as a person does.
func (c *cluster) read(name string) string {
	c.Helper()
	data, err := os.ReadFile(filepath.Join(c.config.Dir, name))
	if err != nil {
		return "error: " + strings.ReplaceAll(err.Error(), c.config.Dir, "")
	}
	return string(data)
}

func (c *cluster) exists(name string) bool {
	_, err := os.Lstat(filepath.Join(c.config.Dir, name))
	return err == nil
}

// podOn makes a pod of the namespace blue with containers that the edits may change.
func newPod(name string, edits ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: name, UID: uidOf(name), Generation: 1},
		Spec: corev1.PodSpec{
			NodeName: "n1", ServiceAccountName: "some-sa", RestartPolicy: corev1.RestartPolicyAlways,
			TerminationGracePeriodSeconds: new(int64(30)),
			Containers:                    []corev1.Container{{Name: "web", Image: "nginx", ImagePullPolicy: corev1.PullIfNotPresent}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodPending, QOSClass: corev1.PodQOSBestEffort},
	}
	for _, edit := range edits {
		edit(pod)
	}
	return pod
}
