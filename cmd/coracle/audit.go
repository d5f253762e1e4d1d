package main

import (
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apiserver/plugin/pkg/audit/buffered"
	"k8s.io/apiserver/plugin/pkg/audit/truncate"

	"coracle/apiserver/audit"
)

// auditSettings say what is written down of requests, by kube-apiserver's names.
type auditSettings struct {
	PolicyFile string              `mapstructure:"audit-policy-file"`
	Path       string              `mapstructure:"audit-log-path"`
	Format     string              `mapstructure:"audit-log-format"`
	Version    string              `mapstructure:"audit-log-version"`
	MaxAge     int                 `mapstructure:"audit-log-maxage"`
	MaxBackups int                 `mapstructure:"audit-log-maxbackup"`
	MaxSize    int                 `mapstructure:"audit-log-maxsize"`
	Compress   bool                `mapstructure:"audit-log-compress"`
	Log        auditLogSettings    `mapstructure:",squash"`
	ConfigFile string              `mapstructure:"audit-webhook-config-file"`
	HookVer    string              `mapstructure:"audit-webhook-version"`
	Backoff    time.Duration       `mapstructure:"audit-webhook-initial-backoff"`
	Hook       auditWebhookSetting `mapstructure:",squash"`
}

// auditLogSettings and auditWebhookSetting are the same under other names, which is all that viper goes by.
type auditLogSettings struct {
	Mode     string        `mapstructure:"audit-log-mode"`
	Buffer   int           `mapstructure:"audit-log-batch-buffer-size"`
	Size     int           `mapstructure:"audit-log-batch-max-size"`
	Wait     time.Duration `mapstructure:"audit-log-batch-max-wait"`
	Throttle bool          `mapstructure:"audit-log-batch-throttle-enable"`
	QPS      float32       `mapstructure:"audit-log-batch-throttle-qps"`
	Burst    int           `mapstructure:"audit-log-batch-throttle-burst"`
	Truncate bool          `mapstructure:"audit-log-truncate-enabled"`
	MaxBatch int64         `mapstructure:"audit-log-truncate-max-batch-size"`
	MaxEvent int64         `mapstructure:"audit-log-truncate-max-event-size"`
}

type auditWebhookSetting struct {
	Mode     string        `mapstructure:"audit-webhook-mode"`
	Buffer   int           `mapstructure:"audit-webhook-batch-buffer-size"`
	Size     int           `mapstructure:"audit-webhook-batch-max-size"`
	Wait     time.Duration `mapstructure:"audit-webhook-batch-max-wait"`
	Throttle bool          `mapstructure:"audit-webhook-batch-throttle-enable"`
	QPS      float32       `mapstructure:"audit-webhook-batch-throttle-qps"`
	Burst    int           `mapstructure:"audit-webhook-batch-throttle-burst"`
	Truncate bool          `mapstructure:"audit-webhook-truncate-enabled"`
	MaxBatch int64         `mapstructure:"audit-webhook-truncate-max-batch-size"`
	MaxEvent int64         `mapstructure:"audit-webhook-truncate-max-event-size"`
}

// addAuditSettings defines the flags, with their defaults.
func addAuditSettings(f *pflag.FlagSet, in func(group string, names ...string)) {
	d := audit.DefaultOptions()
	var names []string
	say := func(name string) string { names = append(names, name); return name }

	f.String(say("audit-policy-file"), "", "file with an audit Policy: which requests are written down, and how much of them")
	f.String(say("audit-log-path"), "", "file that they are written to, - for the standard output")
	f.String(say("audit-log-format"), d.Log.Format, "json, or legacy: a line of text for each")
	f.String(say("audit-log-version"), d.Log.Version, "API version of what is written")
	f.Int(say("audit-log-maxage"), d.Log.MaxAge, "how many days old files are kept; 0 for ever")
	f.Int(say("audit-log-maxbackup"), d.Log.MaxBackups, "how many old files are kept; 0 for all")
	f.Int(say("audit-log-maxsize"), d.Log.MaxSize, "megabytes of a file before the next is begun; 0 for one file without end")
	f.Bool(say("audit-log-compress"), false, "compress old files")
	addSinkSettings(f, say, "log", d.Log.Sink)
	f.String(say("audit-webhook-config-file"), "", "kubeconfig of a service that they are sent to")
	f.String(say("audit-webhook-version"), d.Webhook.Version, "API version of what is sent")
	f.Duration(say("audit-webhook-initial-backoff"), d.Webhook.InitialBackoff, "how long is waited before what was not taken is sent again")
	addSinkSettings(f, say, "webhook", d.Webhook.Sink)
	in(groupAudit, names...)
}

func addSinkSettings(f *pflag.FlagSet, say func(string) string, sink string, d audit.SinkOptions) {
	name := func(rest string) string { return say("audit-" + sink + "-" + rest) }
	f.String(name("mode"), d.Mode, "batch: requests do not wait; blocking: they do; blocking-strict: they fail when they cannot be written down")
	f.Int(name("batch-buffer-size"), d.Batch.BufferSize, "how many events wait for a batch; mode batch")
	f.Int(name("batch-max-size"), d.Batch.MaxBatchSize, "how many events a batch has at most")
	f.Duration(name("batch-max-wait"), d.Batch.MaxBatchWait, "how long a batch waits to be full")
	f.Bool(name("batch-throttle-enable"), d.Batch.ThrottleEnable, "bound how many batches there are in a second")
	f.Float32(name("batch-throttle-qps"), d.Batch.ThrottleQPS, "that bound")
	f.Int(name("batch-throttle-burst"), d.Batch.ThrottleBurst, "how many batches there may be at once after a pause")
	f.Bool(name("truncate-enabled"), false, "leave objects out of events that are too large")
	f.Int64(name("truncate-max-batch-size"), d.Limits.MaxBatchSize, "bytes of a batch at most")
	f.Int64(name("truncate-max-event-size"), d.Limits.MaxEventSize, "bytes of an event at most")
}

// options is what the settings say.
func (s *auditSettings) options() audit.Options {
	hook := auditLogSettings(s.Hook).sink()
	hook.Batch.AsyncDelegate = true // a slow service holds up its own batch alone
	return audit.Options{
		PolicyFile: s.PolicyFile,
		Log: audit.LogOptions{
			Path: s.Path, Format: s.Format, Version: s.Version,
			MaxAge: s.MaxAge, MaxBackups: s.MaxBackups, MaxSize: s.MaxSize, Compress: s.Compress, Sink: s.Log.sink(),
		},
		Webhook: audit.WebhookOptions{
			ConfigFile: s.ConfigFile, Version: s.HookVer, InitialBackoff: s.Backoff, Sink: hook,
		},
	}
}

func (s auditLogSettings) sink() audit.SinkOptions {
	return audit.SinkOptions{
		Mode: s.Mode,
		Batch: buffered.BatchConfig{
			BufferSize: s.Buffer, MaxBatchSize: s.Size, MaxBatchWait: s.Wait,
			ThrottleEnable: s.Throttle, ThrottleQPS: s.QPS, ThrottleBurst: s.Burst,
		},
		Truncate: s.Truncate, Limits: truncate.Config{MaxBatchSize: s.MaxBatch, MaxEventSize: s.MaxEvent},
	}
}
