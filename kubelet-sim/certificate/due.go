package certificate

import (
	"context"
	"crypto/x509"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// lookEvery is how often the clock, and the certificate's file, are looked at. A timer alone would not notice a clock that is
// moved, or a machine that slept.
const lookEvery = time.Second

// rest waits until the certificate in use has to be replaced, at least for a little while, and tells whether ctx did not end
// before. Fresh is one that was issued just now.
func (m *Manager) rest(ctx context.Context, fresh bool) bool {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	due := renewAt(m.Current().Leaf)
	if fresh {
		due = afterMost(m.config.Now(), m.Current().Leaf.NotAfter)
	}
	for looks := time.Duration(1); ; looks++ {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		if m.reload() {
			due = renewAt(m.Current().Leaf)
		}
		if over := !m.config.Now().Before(due) || !m.trusted(m.Current().Leaf); over && looks*lookEvery >= firstRetry {
			return true
		}
	}
}

// renewAt is when a certificate is replaced.
func renewAt(c *x509.Certificate) time.Time { return afterMost(c.NotBefore, c.NotAfter) }

// afterMost is when 70 to 90 percent of a life are over, so that not all nodes come at once. The life of one that was issued just now
// is what is left of it: certificates of a minute are backdated by five, and would have to be replaced at once.
func afterMost(begin, end time.Time) time.Time {
	return begin.Add(wait.Jitter(end.Sub(begin)*7/10, 2.0/7))
}

// sleep waits, and tells whether ctx did not end before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
