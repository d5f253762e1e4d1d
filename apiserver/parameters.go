package apiserver

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// parameters reads a query. What is said twice counts once, the first time.
// Source: k8s.io/apimachinery/pkg/runtime/conversion.go.
type parameters struct {
	q   url.Values
	err error // the first that cannot be understood
}

// flag is true unless it is false or 0, or not there.
func (p *parameters) flag(name string) bool {
	values := p.q[name]
	return len(values) > 0 && !slices.Contains([]string{"false", "0"}, values[0])
}

func (p *parameters) number(name string) *int64 {
	values := p.q[name]
	if len(values) == 0 {
		return nil
	}
	n, err := strconv.ParseInt(values[0], 10, 64)
	p.wrong(err)
	return &n
}

func (p *parameters) time(name string) *metav1.Time {
	values := p.q[name]
	if len(values) == 0 || values[0] == "" {
		return nil
	}
	at, err := time.Parse(time.RFC3339, values[0])
	p.wrong(err)
	return &metav1.Time{Time: at}
}

func (p *parameters) wrong(err error) {
	if p.err == nil && err != nil {
		p.err = apierrors.NewBadRequest(err.Error())
	}
}
