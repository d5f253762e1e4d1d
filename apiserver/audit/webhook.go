package audit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/pkg/audit"

	"coracle/authn/remote"
)

// webhook is the sink at the end of an HTTPS connection. A batch that is not taken is offered again some times, whatever the
// reason was: an event that is lost is worse than one that comes twice.
type webhook struct {
	url     string
	client  *http.Client
	backoff wait.Backoff
	encoder runtime.Encoder
	stop    context.Context // ended lastCall after the server
	cancel  context.CancelFunc
}

// tries is how often a batch is offered, as upstream does.
const tries = 5

func newWebhook(o WebhookOptions, now func() time.Time) (*webhook, error) {
	config, err := remote.Read(o.ConfigFile)
	if err != nil {
		return nil, fmt.Errorf("--audit-webhook-config-file: %w", err)
	}
	client, err := remote.Client(config, now)
	if err != nil {
		return nil, fmt.Errorf("--audit-webhook-config-file %s: %w", o.ConfigFile, err)
	}
	w := &webhook{
		url: config.Host, client: client, encoder: audit.Codecs.LegacyCodec(auditv1.SchemeGroupVersion),
		backoff: wait.Backoff{Duration: o.InitialBackoff, Factor: 1.5, Jitter: 0.2, Steps: tries},
	}
	w.stop, w.cancel = context.WithCancel(context.Background())
	return w, nil
}

// ProcessEvents sends them, and tells whether they were taken.
func (w *webhook) ProcessEvents(events ...*auditinternal.Event) bool {
	var list auditinternal.EventList
	for _, e := range events {
		list.Items = append(list.Items, *e)
	}
	body, err := runtime.Encode(w.encoder, &list)
	if err == nil {
		err = w.offer(body)
	}
	if err != nil {
		audit.HandlePluginError(w.String(), err, events...)
	}
	return err == nil
}

func (w *webhook) offer(body []byte) error {
	var last error
	gaveUp := wait.ExponentialBackoffWithContext(w.stop, w.backoff, func(ctx context.Context) (bool, error) {
		last = w.post(body)
		return last == nil, nil
	})
	if last == nil {
		last = gaveUp
	}
	if last != nil {
		return fmt.Errorf("send %d bytes of audit events to the webhook: %w", len(body), last)
	}
	return nil
}

func (w *webhook) post(body []byte) error {
	request, err := http.NewRequestWithContext(w.stop, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", runtime.ContentTypeJSON)
	answer, err := w.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20)) // so that the connection can be used again
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("it answered %s", answer.Status)
	}
	return nil
}

// lastCall is how long after the server's end batches are offered still: the last is sent then, and a webhook that hangs does
// not keep the process.
const lastCall = time.Second

// Run has nothing to do but to see that the end comes.
func (w *webhook) Run(stop <-chan struct{}) error {
	go func() {
		<-stop
		time.AfterFunc(lastCall, w.cancel)
	}()
	return nil
}

// Shutdown returns at once: batches are waited for by what collects them.
func (w *webhook) Shutdown() {}

// String is the sink's name in metrics.
func (w *webhook) String() string { return "webhook" }
