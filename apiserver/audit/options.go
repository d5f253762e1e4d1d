package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/plugin/pkg/audit/buffered"
	auditlog "k8s.io/apiserver/plugin/pkg/audit/log"
	"k8s.io/apiserver/plugin/pkg/audit/truncate"
)

// The modes of a sink: whether requests wait for it, and whether they fail with it.
const (
	Batch          = "batch"           // requests do not wait
	Blocking       = "blocking"        // requests wait, and go on when it fails
	BlockingStrict = "blocking-strict" // requests that cannot be written down when they arrive are answered 500
)

// Modes are the known ones, as they are listed in help and errors.
const Modes = Batch + "," + Blocking + "," + BlockingStrict

// Options are what kube-apiserver's --audit-* flags say. Nothing is written down without a policy and a sink.
type Options struct {
	PolicyFile string
	Log        LogOptions
	Webhook    WebhookOptions
}

// LogOptions are about the log file.
type LogOptions struct {
	Path       string // "-" is the standard output
	Format     string // json, or legacy: a line of text
	Version    string // audit.k8s.io/v1
	MaxAge     int    // days that old files are kept; 0 for ever
	MaxBackups int    // old files that are kept; 0 for all
	MaxSize    int    // megabytes of a file before the next is begun; 0 for one file
	Compress   bool
	Sink       SinkOptions
}

// WebhookOptions are about the service that events are sent to.
type WebhookOptions struct {
	ConfigFile     string // kubeconfig: its cluster is the service, its user is us
	Version        string // audit.k8s.io/v1
	InitialBackoff time.Duration
	Sink           SinkOptions
}

// SinkOptions are common to both.
type SinkOptions struct {
	Mode     string
	Batch    buffered.BatchConfig
	Truncate bool
	Limits   truncate.Config
}

// DefaultOptions are kube-apiserver's.
func DefaultOptions() Options {
	const buffer = 10_000
	version := auditv1.SchemeGroupVersion.String()
	limits := truncate.Config{MaxEventSize: 100 << 10, MaxBatchSize: 10 << 20}
	return Options{
		Log: LogOptions{
			Format: auditlog.FormatJson, Version: version, MaxAge: 366, MaxBackups: 100, MaxSize: 100,
			Sink: SinkOptions{
				Mode: Blocking, Limits: limits,
				Batch: buffered.BatchConfig{BufferSize: buffer, MaxBatchSize: 1},
			},
		},
		Webhook: WebhookOptions{
			Version: version, InitialBackoff: 10 * time.Second,
			Sink: SinkOptions{
				Mode: Batch, Limits: limits,
				Batch: buffered.BatchConfig{
					BufferSize: buffer, MaxBatchSize: 400, MaxBatchWait: 30 * time.Second,
					ThrottleEnable: true, ThrottleQPS: 10, ThrottleBurst: 15, AsyncDelegate: true,
				},
			},
		},
	}
}

// Validate reports the first option that cannot be, in upstream's words.
// Source: k8s.io/apiserver/pkg/server/options/audit.go.
func (o Options) Validate() error {
	if l := o.Log; l.Path != "" {
		if err := l.Sink.validate("log", l.Version); err != nil {
			return err
		}
		if !slices.Contains(auditlog.AllowedFormats, l.Format) {
			return fmt.Errorf("invalid audit log format %s, allowed formats are %q", l.Format, strings.Join(auditlog.AllowedFormats, ","))
		}
		for _, n := range []struct {
			flag  string
			value int
		}{{"maxage", l.MaxAge}, {"maxbackup", l.MaxBackups}, {"maxsize", l.MaxSize}} {
			if n.value < 0 {
				return fmt.Errorf("--audit-log-%s %v can't be a negative number", n.flag, n.value)
			}
		}
	}
	if w := o.Webhook; w.ConfigFile != "" {
		return w.Sink.validate("webhook", w.Version)
	}
	return nil
}

func (s SinkOptions) validate(name, version string) error {
	if !slices.Contains(strings.Split(Modes, ","), s.Mode) {
		return fmt.Errorf("invalid audit %s mode %s, allowed modes are %q", name, s.Mode, Modes)
	}
	if b := s.Batch; s.Mode == Batch {
		switch {
		case b.BufferSize <= 0:
			return fmt.Errorf("invalid audit batch %s buffer size %v, must be a positive number", name, b.BufferSize)
		case b.MaxBatchSize <= 0:
			return fmt.Errorf("invalid audit batch %s max batch size %v, must be a positive number", name, b.MaxBatchSize)
		case b.ThrottleEnable && b.ThrottleQPS <= 0:
			return fmt.Errorf("invalid audit batch %s throttle QPS %v, must be a positive number", name, b.ThrottleQPS)
		case b.ThrottleEnable && b.ThrottleBurst <= 0:
			return fmt.Errorf("invalid audit batch %s throttle burst %v, must be a positive number", name, b.ThrottleBurst)
		}
	}
	switch {
	case s.Limits.MaxEventSize <= 0:
		return fmt.Errorf("invalid audit truncate %s max event size %v, must be a positive number", name, s.Limits.MaxEventSize)
	case s.Limits.MaxBatchSize < s.Limits.MaxEventSize:
		return fmt.Errorf("invalid audit truncate %s max batch size %v, must be greater than max event size (%v)", name, s.Limits.MaxBatchSize, s.Limits.MaxEventSize)
	case version != auditv1.SchemeGroupVersion.String():
		return fmt.Errorf("invalid audit %s version %q, allowed versions are [%q]", name, version, auditv1.SchemeGroupVersion)
	}
	return nil
}
