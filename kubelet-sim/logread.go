package kubeletsim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// followEvery is how often a log is looked at that somebody follows.
const followEvery = 200 * time.Millisecond

// Logs writes what a container wrote, from the file of its current or previous run.
// Source of the sentences: k8s.io/kubernetes/pkg/kubelet (validateContainerLogStatus).
func (n *node) Logs(ctx context.Context, pod *corev1.Pod, container string, o *corev1.PodLogOptions, stdout, stderr io.Writer) error {
	run, err := loggedRun(pod, container, o.Previous)
	if err != nil {
		return err
	}
	dir, err := n.disk.Container(pod.UID, container)
	if err != nil {
		return err
	}
	defer dir.Close()
	file, err := dir.Open(fmt.Sprintf("logs/%d.log", run))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the log of container %q in pod %q is gone", container, pod.Name)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	stdout.Write(nil) // the client hears at once that there is a log
	reader := &logReader{stdout: stdout, stderr: stderr, timestamps: o.Timestamps, left: -1}
	switch {
	case o.SinceTime != nil:
		reader.since = o.SinceTime.Time
	case o.SinceSeconds != nil:
		reader.since = n.now().Add(-time.Duration(*o.SinceSeconds) * time.Second)
	}
	if o.LimitBytes != nil {
		reader.left = *o.LimitBytes
	}
	if o.TailLines != nil {
		if err := tail(file, *o.TailLines); err != nil {
			return err
		}
	}
	for {
		lives := o.Follow && !o.Previous && n.logs(pod, container, run)
		if err := reader.copy(file); err != nil || reader.left == 0 || !lives {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
	}
}

// logs tells whether a run of a container may still write.
func (n *node) logs(pod *corev1.Pod, container string, run int32) bool {
	current := n.Pod(pod.Namespace, pod.Name)
	if current == nil || current.UID != pod.UID {
		return false
	}
	status := containerStatus(current, container)
	return status == nil || status.RestartCount == run && status.State.Terminated == nil
}

// loggedRun is the number of the run whose log is wanted.
func loggedRun(pod *corev1.Pod, container string, previous bool) (int32, error) {
	c := containerStatus(pod, container)
	if c == nil {
		return 0, fmt.Errorf("container %q in pod %q is not available", container, pod.Name)
	}
	last := c.LastTerminationState.Terminated
	waiting, running, ended := c.State.Waiting, c.State.Running, c.State.Terminated
	switch {
	case previous && (last == nil || last.ContainerID == ""):
		return 0, fmt.Errorf("previous terminated container %q in pod %q not found", container, pod.Name)
	case previous && waiting != nil, !previous && running == nil && ended == nil && last != nil:
		return c.RestartCount, nil // it waits to be started again: the last run is that before
	case previous:
		return c.RestartCount - 1, nil
	case running != nil:
		return c.RestartCount, nil
	case ended != nil && ended.ContainerID == "":
		return 0, fmt.Errorf("container %q in pod %q is terminated", container, pod.Name)
	case ended != nil:
		return c.RestartCount, nil
	case waiting == nil:
		return 0, fmt.Errorf("container %q in pod %q is waiting to start - no logs yet", container, pod.Name)
	}
	switch waiting.Reason {
	case "ErrImagePull":
		return 0, fmt.Errorf("container %q in pod %q is waiting to start: image can't be pulled", container, pod.Name)
	case "ImagePullBackOff":
		return 0, fmt.Errorf("container %q in pod %q is waiting to start: trying and failing to pull image", container, pod.Name)
	}
	return 0, fmt.Errorf("container %q in pod %q is waiting to start: %v", container, pod.Name, waiting.Reason)
}

func containerStatus(pod *corev1.Pod, container string) *corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses, pod.Status.EphemeralContainerStatuses} {
		for i := range list {
			if list[i].Name == container {
				return &list[i]
			}
		}
	}
	return nil
}

// logReader turns lines of the CRI format into what people read.
type logReader struct {
	stdout, stderr io.Writer
	timestamps     bool
	since          time.Time
	left           int64 // bytes that may still be written, -1 for any number

	rest []byte // of a line that is not written to its end yet
	part bool   // the line before has no end
}

// copy writes what there is to read now.
func (l *logReader) copy(file io.Reader) error {
	chunk := make([]byte, 64<<10)
	for {
		n, err := file.Read(chunk)
		l.rest = append(l.rest, chunk[:n]...)
		for {
			line, rest, found := bytes.Cut(l.rest, []byte("\n"))
			if !found || l.left == 0 {
				break
			}
			if err := l.line(line); err != nil {
				return err
			}
			l.rest = rest
		}
		if errors.Is(err, io.EOF) || l.left == 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// line writes one: TIME STREAM TAG TEXT.
func (l *logReader) line(raw []byte) error {
	fields := bytes.SplitN(raw, []byte(" "), 4)
	if len(fields) != 4 {
		return nil // cut off when the file was started over
	}
	if at, err := time.Parse(time.RFC3339Nano, string(fields[0])); err == nil && at.Before(l.since) {
		return nil
	}
	var out []byte
	if l.timestamps && !l.part {
		out = append(append(out, fields[0]...), ' ')
	}
	out = append(out, fields[3]...)
	if l.part = string(fields[2]) == "P"; !l.part {
		out = append(out, '\n')
	}
	if l.left >= 0 {
		out = out[:min(int64(len(out)), l.left)]
		l.left -= int64(len(out))
	}
	to := l.stdout
	if string(fields[1]) == "stderr" {
		to = l.stderr
	}
	_, err := to.Write(out)
	return err
}

// tail moves to where the last lines begin.
func tail(file io.ReadSeeker, lines int64) error {
	data, err := io.ReadAll(io.LimitReader(file, 2*maxLogSize))
	if err != nil {
		return err
	}
	at := len(data)
	if lines > 0 && strings.HasSuffix(string(data), "\n") {
		at-- // the end of the last line begins no other
	}
	for ; lines > 0 && at > 0; lines-- {
		at = bytes.LastIndexByte(data[:at], '\n')
		if at < 0 {
			break
		}
	}
	if lines == 0 && at > 0 && at < len(data) {
		at++
	}
	_, err = file.Seek(int64(max(at, 0)), io.SeekStart)
	return err
}
