package legacytokencleaner_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/controllers/legacytokencleaner"
	"coracle/controllers/looptest"
)

const (
	lastUsed     = "kubernetes.io/legacy-token-last-used"
	invalidSince = "kubernetes.io/legacy-token-invalid-since"
	period       = 10 * 24 * time.Hour
	today        = "2000-01-01" // where a bubble's time begins
)

// unused is a Secret that a controller made for blue/robot a year ago, and that nobody used.
func unused() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "blue", Name: "robot-token-abcde", CreationTimestamp: metav1.NewTime(time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)),
			Annotations: map[string]string{"kubernetes.io/service-account.name": "robot", "kubernetes.io/service-account.uid": "robot-uid"},
			Labels:      map[string]string{},
		},
		Type: corev1.SecretTypeServiceAccountToken,
	}
}

func pod(spec corev1.PodSpec) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "web"}, Spec: spec}
}

func TestCleaner(t *testing.T) {
	const (
		kept    = "kept"
		marked  = "marked"
		deleted = "deleted"
	)
	volume := func(source corev1.VolumeSource) *corev1.Pod {
		return pod(corev1.PodSpec{Volumes: []corev1.Volume{{Name: "v", VolumeSource: source}}})
	}
	local := corev1.LocalObjectReference{Name: "robot-token-abcde"}
	for name, test := range map[string]struct {
		change func(*corev1.Secret, *corev1.ServiceAccount)
		since  string
		more   runtime.Object
		want   string
	}{
		"never used":                         {want: marked},
		"used long ago":                      {change: func(s *corev1.Secret, _ *corev1.ServiceAccount) { s.Labels[lastUsed] = "1999-12-21" }, want: marked},
		"used within the period":             {change: func(s *corev1.Secret, _ *corev1.ServiceAccount) { s.Labels[lastUsed] = "1999-12-22" }, want: kept},
		"used on a day that is none":         {change: func(s *corev1.Secret, _ *corev1.ServiceAccount) { s.Labels[lastUsed] = "1999" }, want: kept},
		"made within the period":             {change: func(s *corev1.Secret, _ *corev1.ServiceAccount) { s.CreationTimestamp = metav1.Now() }, want: kept},
		"made by hand":                       {change: func(_ *corev1.Secret, a *corev1.ServiceAccount) { a.Secrets = nil }, want: kept},
		"of an account that is gone":         {change: func(_ *corev1.Secret, a *corev1.ServiceAccount) { a.Name = "other" }, want: kept},
		"of an earlier account of that name": {change: func(_ *corev1.Secret, a *corev1.ServiceAccount) { a.UID = "another" }, want: kept},
		"a Secret of another type":           {change: func(s *corev1.Secret, _ *corev1.ServiceAccount) { s.Type = corev1.SecretTypeOpaque }, want: kept},
		"marked within the period":           {change: func(s *corev1.Secret, _ *corev1.ServiceAccount) { s.Labels[invalidSince] = "1999-12-22" }, want: kept},
		"marked long ago":                    {change: func(s *corev1.Secret, _ *corev1.ServiceAccount) { s.Labels[invalidSince] = "1999-12-21" }, want: deleted},
		"marked on a day that is none":       {change: func(s *corev1.Secret, _ *corev1.ServiceAccount) { s.Labels[invalidSince] = "yes" }, want: marked},
		"marked long ago, and used since": {change: func(s *corev1.Secret, _ *corev1.ServiceAccount) {
			s.Labels[invalidSince], s.Labels[lastUsed] = "1999-12-01", "1999-12-30"
		}, want: kept},
		"use is not noted for long enough":     {since: "1999-12-22", want: kept},
		"use is noted for just long enough":    {since: "1999-12-21", want: marked},
		"nobody knows since when use is noted": {since: "soon", want: kept},
		"mounted by a pod":                     {more: volume(corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: local.Name}}), want: kept},
		"projected into a pod": {more: volume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{LocalObjectReference: local}}}}}), want: kept},
		"in a container's environment": {more: pod(corev1.PodSpec{Containers: []corev1.Container{{Env: []corev1.EnvVar{{
			ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: local}}}}}}}), want: kept},
		"all of it in an init container's environment": {more: pod(corev1.PodSpec{InitContainers: []corev1.Container{{
			EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: local}}}}}}), want: kept},
		"to pull images with": {more: pod(corev1.PodSpec{ImagePullSecrets: []corev1.LocalObjectReference{local}}), want: kept},
		"another one mounted": {more: volume(corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "other"}}), want: marked},
	} {
		t.Run(name, func(t *testing.T) {
			looptest.Run(t, nil, func(t *testing.T, w *looptest.World) {
				secret := unused()
				account := &corev1.ServiceAccount{
					ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "robot", UID: "robot-uid"},
					Secrets:    []corev1.ObjectReference{{Name: secret.Name}},
				}
				if test.change != nil {
					test.change(secret, account)
				}
				if test.since == "" {
					test.since = "1999-01-01"
				}
				before := secret.Labels[invalidSince]
				w.Add(secret, account, tracking(test.since))
				if test.more != nil {
					w.Add(test.more)
				}
				w.Start(cleaner(w))
				got := kept
				if s, err := w.Client.CoreV1().Secrets("blue").Get(t.Context(), secret.Name, metav1.GetOptions{}); err != nil {
					got = deleted
				} else if s.Labels[invalidSince] != before {
					if got = marked; s.Labels[invalidSince] != today {
						t.Errorf("marked with %q, want %s", s.Labels[invalidSince], today)
					}
				}
				if got != test.want {
					t.Errorf("it is %s, want %s", got, test.want)
				}
			})
		})
	}
	t.Run("from its last use to its end it takes two periods", func(t *testing.T) {
		looptest.Run(t, nil, func(t *testing.T, w *looptest.World) {
			secret := unused()
			secret.Labels[lastUsed] = today
			w.Add(secret, tracking("1999-01-01"), &corev1.ServiceAccount{
				ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "robot", UID: "robot-uid"}, Secrets: []corev1.ObjectReference{{Name: secret.Name}},
			})
			w.Start(cleaner(w))
			var days []int
			for day := range 40 {
				s, err := w.Client.CoreV1().Secrets("blue").Get(t.Context(), secret.Name, metav1.GetOptions{})
				if err != nil {
					days = append(days, day)
					break
				}
				if s.Labels[invalidSince] != "" && len(days) == 0 {
					days = append(days, day)
				}
				w.Advance(24 * time.Hour)
			}
			if len(days) != 2 || days[0] != 11 || days[1] != 22 {
				t.Errorf("marked and deleted on the days %d, want 11 and 22", days)
			}
		})
	})
}

func tracking(since string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-apiserver-legacy-service-account-token-tracking"},
		Data:       map[string]string{"since": since},
	}
}

func cleaner(w *looptest.World) *legacytokencleaner.Cleaner {
	return legacytokencleaner.New(w.Client, w.Factory, legacytokencleaner.Config{Period: period, Pods: w.Client, Now: time.Now}, w.Log)
}
