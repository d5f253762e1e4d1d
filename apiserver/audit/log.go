package audit

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/plugin/pkg/audit/buffered"
	auditlog "k8s.io/apiserver/plugin/pkg/audit/log"
	"k8s.io/apiserver/plugin/pkg/audit/truncate"
)

// Log is a policy and where the events go that it wants. Its methods may be called from many goroutines.
type Log struct {
	audit.PolicyRuleEvaluator
	audit.Sink
	backend audit.Backend
	file    io.Closer // nil: the standard output, or no file
}

// Open makes the log, or none (nil) where options name no policy or no sink. By now the webhook's certificate is judged. Errors name the file.
func Open(o Options, now func() time.Time) (*Log, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.PolicyFile == "" {
		return nil, nil
	}
	rules, err := policy.LoadPolicyFromFile(o.PolicyFile)
	if err != nil {
		return nil, fmt.Errorf("--audit-policy-file %s: %w", o.PolicyFile, err)
	}
	l := &Log{PolicyRuleEvaluator: policy.NewPolicyRuleEvaluator(rules)}
	var sinks []audit.Backend
	if o.Log.Path != "" {
		out, err := l.open(o.Log)
		if err != nil {
			return nil, fmt.Errorf("--audit-log-path %s: %w", o.Log.Path, err)
		}
		sinks = append(sinks, o.Log.Sink.wrap(auditlog.NewBackend(out, o.Log.Format, auditv1.SchemeGroupVersion)))
	}
	if o.Webhook.ConfigFile != "" {
		hook, err := newWebhook(o.Webhook, now)
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, o.Webhook.Sink.wrap(hook))
	}
	if len(sinks) == 0 {
		return nil, nil
	}
	l.backend = audit.Union(sinks...)
	l.Sink = l.backend
	return l, nil
}

// open opens the file for its owner alone: what people did is not for everybody to read.
func (l *Log) open(o LogOptions) (io.Writer, error) {
	if o.Path == "-" {
		return os.Stdout, nil
	}
	if err := os.MkdirAll(filepath.Dir(o.Path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(o.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if o.MaxSize == 0 {
		l.file = file
		return file, nil
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	rotated := &lumberjack.Logger{
		Filename: o.Path, MaxAge: o.MaxAge, MaxBackups: o.MaxBackups, MaxSize: o.MaxSize, Compress: o.Compress,
	}
	l.file = rotated
	return rotated, nil
}

// Run writes down what is collected in batches until ctx ends, and then the rest of it.
func (l *Log) Run(ctx context.Context) error {
	if err := l.backend.Run(ctx.Done()); err != nil {
		return err
	}
	<-ctx.Done()
	l.backend.Shutdown()
	if l.file != nil {
		return l.file.Close()
	}
	return nil
}

// wrap puts in front of a sink what its mode and limits want.
func (s SinkOptions) wrap(sink audit.Backend) audit.Backend {
	switch s.Mode {
	case Batch:
		sink = buffered.NewBackend(sink, s.Batch)
	case Blocking:
		sink = forgiving{sink}
	}
	if s.Truncate {
		sink = truncate.NewBackend(sink, s.Limits, auditv1.SchemeGroupVersion)
	}
	return sink
}

// forgiving lets requests go on whose events could not be written down.
type forgiving struct{ audit.Backend }

func (f forgiving) ProcessEvents(events ...*auditinternal.Event) bool {
	f.Backend.ProcessEvents(events...)
	return true
}
