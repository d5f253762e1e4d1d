package apiserver

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"coracle/apiserver/decision"
	"coracle/apiserver/wire"
	"coracle/storage"
)

// response remembers what was answered.
type response struct {
	http.ResponseWriter
	code  int
	bytes int64
	wrote bool
}

func (w *response) WriteHeader(code int) {
	if !w.wrote {
		w.code, w.wrote = code, true
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *response) Write(b []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection: to flush, and to hijack.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) status() int {
	if w.code == 0 {
		return http.StatusOK
	}
	return w.code
}

// fail answers an error as a Status. Errors become answers here, and in failPlain.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(err)
	if status.Code == http.StatusInternalServerError && r.Context().Err() == nil {
		s.Log.Error("a request failed", "id", decision.From(r.Context()).ID, "method", r.Method, "path", r.URL.Path, "error", err)
	}
	decision.From(r.Context()).Message = status.Message
	f, nerr := wire.Negotiate(r, wire.Offer{})
	if nerr != nil {
		f = wire.Format{Media: wire.JSON}
	}
	h := w.Header()
	if status.Details != nil && status.Details.RetryAfterSeconds > 0 {
		h.Set("Retry-After", fmt.Sprint(status.Details.RetryAfterSeconds))
	}
	s.send(w, f, int(status.Code), status)
}

// failPlain answers that an authorizer could not do its work, and none allowed the request: in text, as Kubernetes does
// there.
// Source: k8s.io/apiserver/pkg/endpoints/handlers/responsewriters.InternalError.
func (s *Server) failPlain(w http.ResponseWriter, r *http.Request, err error) {
	message := withoutMarkup(fmt.Sprintf("Internal Server Error: %q: %v", r.RequestURI, err))
	s.Log.Error("a request failed", "id", decision.From(r.Context()).ID, "method", r.Method, "path", r.URL.Path, "error", err)
	decision.From(r.Context()).Message = message
	http.Error(w, message, http.StatusInternalServerError)
}

// statusOf words any error as a Status. What is not meant for clients becomes a 500.
func statusOf(err error) *metav1.Status {
	var api apierrors.APIStatus
	switch {
	case errors.As(err, &api):
		status := api.Status()
		if status.Code == 0 {
			status.Code = http.StatusInternalServerError
		}
		status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
		return &status
	case errors.Is(err, storage.ErrCompacted):
		return statusOf(apierrors.NewResourceExpired("The resourceVersion for the provided watch is too old."))
	case errors.Is(err, context.DeadlineExceeded):
		return statusOf(apierrors.NewTimeoutError("request did not complete within the allotted timeout", 0))
	case errors.Is(err, context.Canceled):
		return statusOf(apierrors.NewTimeoutError("the client gave up waiting", 0))
	case errors.Is(err, storage.ErrClosed):
		return statusOf(apierrors.NewServiceUnavailable("the server is shutting down"))
	}
	return statusOf(plain(err.Error()))
}

// send answers with an object.
func (s *Server) send(w http.ResponseWriter, f wire.Format, code int, obj runtime.Object) {
	auditAnswer(w, obj)
	b, err := s.Codec.Encode(obj, f)
	if err != nil {
		s.Log.Error("an answer could not be encoded", "kind", obj.GetObjectKind().GroupVersionKind().String(), "error", err)
		http.Error(w, "Internal Server Error: the answer could not be encoded", http.StatusInternalServerError)
		return
	}
	s.sendBytes(w, f, code, b)
}

// sendBytes answers with an object that is encoded already, but for the line feed at its end, perhaps. That is written by itself: the
// bytes may be a stored object's, which many answer with, or very many.
func (s *Server) sendBytes(w http.ResponseWriter, f wire.Format, code int, b []byte) {
	h := w.Header()
	h.Set("Content-Type", f.ContentType(false))
	end := ""
	if f.Ends() && (len(b) == 0 || b[len(b)-1] != '\n') {
		end = "\n"
	}
	if f.Gzip && len(b)+len(end) > gzipFrom {
		h.Set("Content-Encoding", "gzip")
		h.Add("Vary", "Accept-Encoding")
		w.WriteHeader(code)
		z := s.compressors.Get().(*gzip.Writer)
		z.Reset(w)
		z.Write(b)
		io.WriteString(z, end)
		z.Close() // a client that is gone cannot be told
		s.compressors.Put(z)
		return
	}
	h["Content-Length"] = []string{strconv.Itoa(len(b) + len(end))}
	w.WriteHeader(code)
	w.Write(b)
	io.WriteString(w, end)
}

const (
	// gzipFrom is the size in bytes above which an answer is compressed for a client that reads gzip, as upstream does.
	gzipFrom = 128 << 10
	// gzipLevel is the cheapest, as upstream's.
	gzipLevel = gzip.BestSpeed
)

func newCompressor() any {
	z, err := gzip.NewWriterLevel(io.Discard, gzipLevel)
	if err != nil {
		panic(err) // of a level that there is not
	}
	return z
}

// Warnings are sentences for the person at the client, sent as headers (RFC 7234, section 5.5).

type warningsKey struct{}

// warnings adds to an answer's headers, from several goroutines if need be.
// Source: k8s.io/apiserver/pkg/endpoints/filters/warning.go.
type warnings struct {
	header http.Header

	mu      sync.Mutex
	said    []string // each once, as it was given
	written int      // in characters
	short   bool     // they have become too many, and each is cut
}

// maxWarnings bounds all warnings of one answer, and maxWarning each of them from when that is exceeded, in characters.
const (
	maxWarnings = 4 << 10
	maxWarning  = 256
)

func withWarnings(ctx context.Context, w http.ResponseWriter) context.Context {
	return context.WithValue(ctx, warningsKey{}, &warnings{header: w.Header()})
}

// warnAll adds a warning for each thing that is odd in what was read. Of YAML several come in one text.
// Source: parseYAMLWarnings in k8s.io/apiserver/pkg/endpoints/handlers/rest.go.
func warnAll(ctx context.Context, odd []string) {
	for _, text := range odd {
		lines := text
		for _, head := range []string{"error converting YAML to JSON: ", "yaml: unmarshal errors:\n"} {
			lines = strings.TrimPrefix(lines, head)
		}
		if lines == text {
			warn(ctx, text)
			continue
		}
		for line := range strings.SplitSeq(lines, "\n") {
			warn(ctx, strings.TrimSpace(line))
		}
	}
}

// warn adds a warning to the answer, once. It must come before the answer's first byte.
func warn(ctx context.Context, text string) {
	if ws, ok := ctx.Value(warningsKey{}).(*warnings); ok && text != "" {
		ws.add(text)
	}
}

func (ws *warnings) add(text string) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.short && ws.written >= maxWarnings || slices.Contains(ws.said, text) {
		return
	}
	ws.said = append(ws.said, text)
	if ws.short || ws.written+utf8.RuneCountInString(text) <= maxWarnings {
		ws.write(text)
		return
	}
	ws.short, ws.written = true, 0
	ws.header.Del("Warning")
	for _, text := range ws.said {
		ws.write(text)
	}
}

// write adds a header, unless the text is what no header can hold.
func (ws *warnings) write(text string) {
	if all := []rune(text); ws.short && len(all) > maxWarning {
		text = string(all[:maxWarning])
	}
	if header, err := utilnet.NewWarningHeader(299, "", text); err == nil {
		ws.written += utf8.RuneCountInString(text)
		ws.header.Add("Warning", header)
	}
}
