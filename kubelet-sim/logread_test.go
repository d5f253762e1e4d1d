package kubeletsim

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

const crilog = `2026-01-02T03:04:01Z stdout F one
2026-01-02T03:04:02Z stderr F two
2026-01-02T03:04:03Z stdout P thr
2026-01-02T03:04:03Z stdout F ee
cut off
2026-01-02T03:04:05Z stdout F four
`

func TestLogReader(t *testing.T) {
	at := func(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC) }
	for name, test := range map[string]struct {
		tail   int64 // -1 for all
		reader logReader
		want   string
	}{
		"all":             {-1, logReader{left: -1}, "one\ntwo\nthree\nfour\n"},
		"with times":      {-1, logReader{left: -1, timestamps: true}, "2026-01-02T03:04:01Z one\n2026-01-02T03:04:02Z two\n2026-01-02T03:04:03Z three\n2026-01-02T03:04:05Z four\n"},
		"since":           {-1, logReader{left: -1, since: at(3)}, "three\nfour\n"},
		"some bytes":      {-1, logReader{left: 6}, "one\ntw"},
		"the last line":   {1, logReader{left: -1}, "four\n"},
		"no line":         {0, logReader{left: -1}, ""},
		"more than there": {100, logReader{left: -1}, "one\ntwo\nthree\nfour\n"},
	} {
		t.Run(name, func(t *testing.T) {
			file := strings.NewReader(crilog)
			if test.tail >= 0 {
				if err := tail(file, test.tail); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			test.reader.stdout, test.reader.stderr = &out, &out
			if err := test.reader.copy(file); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoggedRun(t *testing.T) {
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ContainerID: "coracle://1"}}
	waiting := func(reason string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
	}
	for name, test := range map[string]struct {
		state, last corev1.ContainerState
		restarts    int32
		previous    bool
		want        int32
		says        string
	}{
		"it runs":                       {state: running},
		"it runs again":                 {state: running, last: ended, restarts: 2, want: 2},
		"the run before":                {state: running, last: ended, restarts: 2, previous: true, want: 1},
		"it has ended":                  {state: ended, restarts: 1, want: 1},
		"it waits to be started again":  {state: waiting("CrashLoopBackOff"), last: ended, restarts: 1, want: 1},
		"the run before that":           {state: waiting("CrashLoopBackOff"), last: ended, restarts: 1, previous: true, want: 1},
		"there was none before":         {state: running, previous: true, says: `previous terminated container "c" in pod "p" not found`},
		"it is created":                 {state: waiting("ContainerCreating"), says: `container "c" in pod "p" is waiting to start: ContainerCreating`},
		"its image cannot be had":       {state: waiting("ErrImagePull"), says: `container "c" in pod "p" is waiting to start: image can't be pulled`},
		"its image cannot be had again": {state: waiting("ImagePullBackOff"), says: `container "c" in pod "p" is waiting to start: trying and failing to pull image`},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
				{Name: "c", State: test.state, LastTerminationState: test.last, RestartCount: test.restarts},
			}}}
			pod.Name = "p"
			got, err := loggedRun(pod, "c", test.previous)
			said := ""
			if err != nil {
				said = err.Error()
			}
			if got != test.want || said != test.says {
				t.Errorf("%d %q, want %d %q", got, said, test.want, test.says)
			}
		})
	}
	if _, err := loggedRun(&corev1.Pod{}, "c", false); err == nil {
		t.Error("a container without a status has a log")
	}
}
