package oidc

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"k8s.io/apiserver/pkg/apis/apiserver"

	"coracle/authn"
)

// reachTimeout bounds how long a changed configuration's issuers may take to answer.
const reachTimeout = 10 * time.Second

// File is an AuthenticationConfiguration file and the strategy that it configures. It implements authn.Reloader: a changed file takes
// effect when it makes sense and all of its issuers can be reached; until then everything stays as it was.
type File struct {
	*Authenticator
	// Anonymous is what the file says of anonymous requests, nil if nothing. It counts from the start to the end of the server.
	Anonymous *apiserver.AnonymousAuthConfig

	file    *authn.File[*apiserver.AuthenticationConfiguration]
	options Options
	pending *Issuers // make sense, but were not reached yet
	told    string   // the error that was returned last, which is told once
}

// OpenFile reads the file and makes the strategy of it. Nobody is reached yet: issuers may be down while the server starts.
func OpenFile(path string, o Options) (*File, error) {
	file, err := authn.OpenFile(path, ParseConfiguration)
	if err != nil {
		return nil, fmt.Errorf("failed to load authentication configuration from file %q: %w", path, err)
	}
	issuers, err := Compile(file.Get(), o, nil)
	if err != nil {
		return nil, fmt.Errorf("invalid authentication configuration: %w", err)
	}
	return &File{Authenticator: New(issuers, o.Now), Anonymous: file.Get().Anonymous, file: file, options: o}, nil
}

// Reload looks at the file, and takes over what it says if it was changed. It is to be called by one goroutine.
func (f *File) Reload(ctx context.Context) (changed bool, err error) {
	changed, err = f.file.Reload(ctx)
	if err != nil || changed {
		f.pending, f.told = nil, ""
	}
	if err != nil {
		return false, err
	}
	if changed {
		config := f.file.Get()
		if !reflect.DeepEqual(f.Anonymous, config.Anonymous) {
			return false, errors.New("invalid authentication configuration: anonymous: Forbidden: changed from initial configuration file")
		}
		if f.pending, err = Compile(config, f.options, f.Issuers()); err != nil {
			return false, fmt.Errorf("invalid authentication configuration: %w", err)
		}
	}
	if f.pending == nil {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err := f.pending.Reach(ctx); err != nil {
		if f.told == err.Error() {
			return false, nil
		}
		f.told = err.Error()
		return false, err
	}
	f.Replace(f.pending)
	f.pending = nil
	return true, nil
}
