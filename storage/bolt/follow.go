package bolt

import (
	"context"

	"coracle/storage"
)

// follower takes events from the committer itself, without a queue and a goroutine in between.
type follower struct {
	take   func([]storage.Event) error
	after  int64           // what it has when it begins
	live   bool            // it has taken all that is past
	missed []storage.Event // what was committed while it had not
	failed chan error      // what take has returned
}

// Follow hands on the past, and from then on has the committer do so.
func (s *Store) Follow(ctx context.Context, after int64, take func([]storage.Event) error) (<-chan error, error) {
	f := &follower{take: take, failed: make(chan error, 1)}
	s.mu.Lock()
	newest := s.revision.Load()
	f.after = max(after, newest)
	if s.closed {
		s.mu.Unlock()
		return nil, storage.ErrClosed
	}
	s.followers[f] = struct{}{}
	s.mu.Unlock()
	if err := s.past(ctx, f, after, newest); err != nil {
		s.unfollow(f)
		return nil, err
	}
	ended := make(chan error, 1)
	go func() {
		var err error
		select {
		case err = <-f.failed:
		case <-ctx.Done():
			err = ctx.Err()
		case <-s.committed:
			err = storage.ErrClosed
		}
		s.unfollow(f)
		ended <- err
	}()
	return ended, nil
}

// past hands on what was there before, and what is committed until that is done.
func (s *Store) past(ctx context.Context, f *follower, after, newest int64) error {
	next, err := s.history(ctx, "", after, newest)
	if err != nil {
		return err
	}
	for more := true; more; next, more = s.catchUp(f) {
		if len(next) == 0 {
			continue
		}
		if err := f.take(next); err != nil {
			return err
		}
	}
	return nil
}

// catchUp returns what was committed since it was asked last. If that is nothing the follower is told by the committer from now on.
func (s *Store) catchUp(f *follower) (missed []storage.Event, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	missed, f.missed = f.missed, nil
	f.live = len(missed) == 0
	return missed, !f.live
}

func (s *Store) unfollow(f *follower) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.followers, f)
}

// add hands on committed events. The store is locked.
func (f *follower) add(events []storage.Event) (err error) {
	for len(events) > 0 && events[0].KV.Revision <= f.after {
		events = events[1:]
	}
	if !f.live {
		f.missed = append(f.missed, events...)
		return nil
	}
	return f.take(events)
}
