package people

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"coracle/authn"
)

// slowness is how long a slow counterpart takes, in which kube-apiserver has lost its patience with some of them.
const slowness = 15 * time.Second

// File is a file of people. It is looked at for each request, so that what is saved counts from the next one on.
type File struct {
	file   *authn.File[*Content]
	able   []Fault
	always []Fault
	log    *slog.Logger
}

// Open reads the file. A counterpart is able to misbehave in some ways, and always does in those given.
func Open(path string, able []Fault, always []string, log *slog.Logger) (*File, error) {
	f := &File{able: append([]Fault{Slow, Down}, able...), log: log}
	for _, name := range always {
		f.always = append(f.always, Fault(name))
	}
	if err := f.check(f.always); err != nil {
		return nil, fmt.Errorf("--misbehave: %w", err)
	}
	var err error
	f.file, err = authn.OpenFile(path, func(data []byte) (*Content, error) {
		c, err := Parse(data)
		if err != nil {
			return nil, err
		}
		return c, f.check(c.Misbehave)
	})
	return f, err
}

func (f *File) check(faults []Fault) error {
	for _, fault := range faults {
		if !slices.Contains(f.able, fault) {
			return fmt.Errorf("this one cannot misbehave by %q; it can by %q", fault, f.able)
		}
	}
	return nil
}

// Content is what the file says now, or said when it last made sense.
func (f *File) Content(ctx context.Context) *Content {
	if changed, err := f.file.Reload(ctx); err != nil {
		f.log.Error("the changed file is refused, what it said before stays in force", "error", err)
	} else if changed {
		f.log.Info("the changed file is in force", "misbehave", f.file.Get().Misbehave)
	}
	return f.file.Get()
}

// Misbehaves tells whether there is that fault now.
func (f *File) Misbehaves(ctx context.Context, fault Fault) bool {
	return slices.Contains(f.always, fault) || slices.Contains(f.Content(ctx).Misbehave, fault)
}

// Faulty puts the faults that all counterparts have before a handler.
func (f *File) Faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.Misbehaves(r.Context(), Down) {
			panic(http.ErrAbortHandler) // net/http's way to break a connection
		}
		if f.Misbehaves(r.Context(), Slow) {
			timer := time.NewTimer(slowness)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-r.Context().Done():
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
