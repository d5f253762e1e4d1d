package server

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// logs answers GET /containerLogs/NAMESPACE/POD/CONTAINER with the parameters of PodLogOptions.
func (s *Server) logs(w http.ResponseWriter, r *http.Request, pod *corev1.Pod) {
	options, err := logOptions(r.URL.Query())
	if err != nil {
		http.Error(w, `{"message": "Unable to decode query."}`, http.StatusBadRequest)
		return
	}
	if negative(options.TailLines) || negative(options.LimitBytes) || negative(options.SinceSeconds) {
		http.Error(w, `{"message": "Invalid request."}`, http.StatusUnprocessableEntity)
		return
	}
	container := r.PathValue("container")
	if !slices.Contains(containers(pod), container) {
		http.Error(w, fmt.Sprintf("container %q not found in pod %q", container, pod.Name), http.StatusNotFound)
		return
	}
	out := &flushing{w: w, rc: http.NewResponseController(w)}
	var stdout, stderr io.Writer = out, out
	if options.Stream != nil {
		switch *options.Stream {
		case corev1.LogStreamStdout:
			stderr = io.Discard
		case corev1.LogStreamStderr:
			stdout = io.Discard
		case corev1.LogStreamAll:
		default:
			http.Error(w, fmt.Sprintf("invalid stream type %q", *options.Stream), http.StatusBadRequest)
			return
		}
	}
	if err := s.Host.Logs(r.Context(), pod, container, options, stdout, stderr); err != nil && !out.wrote {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// logOptions reads the parameters of PodLogOptions.
func logOptions(q url.Values) (*corev1.PodLogOptions, error) {
	o := &corev1.PodLogOptions{Follow: q.Get("follow") == "true", Previous: q.Get("previous") == "true", Timestamps: q.Get("timestamps") == "true"}
	for name, into := range map[string]**int64{"sinceSeconds": &o.SinceSeconds, "tailLines": &o.TailLines, "limitBytes": &o.LimitBytes} {
		if !q.Has(name) {
			continue
		}
		n, err := strconv.ParseInt(q.Get(name), 10, 64)
		if err != nil {
			return nil, err
		}
		*into = &n
	}
	if q.Has("sinceTime") {
		at, err := time.Parse(time.RFC3339, q.Get("sinceTime"))
		if err != nil {
			return nil, err
		}
		o.SinceTime = &metav1.Time{Time: at}
	}
	if q.Has("stream") {
		o.Stream = new(q.Get("stream"))
	}
	return o, nil
}

func negative(n *int64) bool { return n != nil && *n < 0 }

// containers are the names of all that a pod has.
func containers(pod *corev1.Pod) (names []string) {
	for _, c := range pod.Spec.InitContainers {
		names = append(names, c.Name)
	}
	for _, c := range pod.Spec.Containers {
		names = append(names, c.Name)
	}
	for _, c := range pod.Spec.EphemeralContainers {
		names = append(names, c.Name)
	}
	return names
}

// flushing sends what is written at once.
type flushing struct {
	w     io.Writer
	rc    *http.ResponseController
	wrote bool
}

func (f *flushing) Write(p []byte) (int, error) {
	f.wrote = true
	n, err := f.w.Write(p)
	if err == nil {
		err = f.rc.Flush()
	}
	return n, err
}
