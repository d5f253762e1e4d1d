package kubeletsim_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	kubeletsim "coracle/kubelet-sim"
)

// A node runs a pod that mounts a Secret.
func Example() {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "creds"}, Data: map[string][]byte{"user": []byte("ann")}}
	client := fake.NewClientset(secret)
	dir, err := os.MkdirTemp("", "node")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	ctx, stop := context.WithCancel(context.Background())
	changes, err := client.CoreV1().Pods("blue").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		panic(err)
	}
	_, err = client.CoreV1().Pods("blue").Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "web", UID: "1"},
		Spec: corev1.PodSpec{
			NodeName:   "n1",
			Volumes:    []corev1.Volume{{Name: "creds", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "creds"}}}},
			Containers: []corev1.Container{{Name: "web", Image: "nginx", VolumeMounts: []corev1.VolumeMount{{Name: "creds", MountPath: "/creds"}}}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		panic(err)
	}
	ended := make(chan error)
	go func() {
		ended <- kubeletsim.New(kubeletsim.Config{NodeName: "n1", Client: client, Dir: dir}).Run(ctx)
	}()
	for change := range changes.ResultChan() {
		if change.Object.(*corev1.Pod).Status.Phase == corev1.PodRunning {
			break
		}
	}
	user, err := os.ReadFile(filepath.Join(dir, "pods/blue/web/web/creds/user"))
	fmt.Println(string(user), err)

	stop()
	fmt.Println(<-ended)
	// Output:
	// ann <nil>
	// <nil>
}
