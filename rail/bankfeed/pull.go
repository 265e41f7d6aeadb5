package bankfeed

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/rail"
)

const (
	// Overlap is how far each pull goes back behind what was seen: a bank may
	// book a transfer, or a provider list it, a little later than it happened.
	Overlap = time.Hour
	// DeepOverlap is the same for the first pull after a start and for one
	// pull an hour.
	DeepOverlap = 24 * time.Hour
	// FirstPull is how far the first pull of a feed goes back, but not behind
	// the feed's creation.
	FirstPull = 7 * 24 * time.Hour

	pagePause  = 500 * time.Millisecond // SePay allows two or three calls a second
	maxPages   = 500                    // in one go; the rest follows at the next
	takeAtOnce = 100                    // credits in one transaction
	maxBackOff = 15 * time.Minute
	maxRefused = 10_000 // refused rows that are remembered
)

// pullState is what this node remembers of a feed's pulls.
type pullState struct {
	running  bool
	failures int
	next     time.Time // not before, after a failure
	deep     time.Time // when DeepOverlap was last used
}

// sweep is one reading of a list from a moment up to its end. Interrupted, it
// is kept in payment.Feed.Cursor and goes on where it was.
type sweep struct {
	Asked int64  `json:"asked"` // when the first page was asked for, ms
	Since int64  `json:"since"` // ms
	At    string `json:"at"`    // the provider's cursor
	Deep  bool   `json:"deep"`
}

// runPulls starts the pull of each feed whenever it is due. A slow provider
// delays only itself.
func (in *Intake) runPulls(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	if in.get == nil {
		return
	}
	for first := true; ; first = false {
		feeds, err := in.core.Feeds(ctx)
		if err != nil && ctx.Err() == nil {
			in.log.Error("bank feeds not listed", "error", err.Error())
		}
		for _, f := range feeds {
			if in.begin(f, first) {
				wg.Go(func() { in.end(ctx, f, in.pull(ctx, f)) })
			}
		}
		if clock.Sleep(ctx, in.clock, in.interval) != nil {
			return
		}
	}
}

// begin says whether a feed is due, and then marks it as being pulled.
func (in *Intake) begin(f payment.Feed, first bool) bool {
	if _, pulls := notifiers[f.Kind].(rail.Puller); !pulls || !f.Enabled || f.API == "" {
		return false
	}
	now := in.clock.Now()
	// Another node has just done it.
	if age := now.Sub(f.PulledAt); !first && age >= 0 && age < in.interval/2 {
		return false
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	s := in.state(f.Name)
	if s.running || now.Before(s.next) {
		return false
	}
	s.running = true
	return true
}

func (in *Intake) end(ctx context.Context, f payment.Feed, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := in.state(f.Name)
	s.running = false
	if err == nil || ctx.Err() != nil {
		s.failures, s.next = 0, time.Time{}
		return
	}
	s.failures++
	wait := min(in.interval<<min(s.failures, 10), maxBackOff)
	s.next = in.clock.Now().Add(wait)
	in.log.Warn("bank feed not pulled", "feed", f.Name, "error", err.Error(), "again_in", wait.String())
}

// state finds or makes a feed's state; the caller holds the lock.
func (in *Intake) state(name string) *pullState {
	s, ok := in.pulls[name]
	if !ok {
		s = &pullState{}
		in.pulls[name] = s
	}
	return s
}

// Pull pulls a feed now. It fails with CodeInvalidRequest for a feed that has
// no list of transactions or no credentials for it.
func (in *Intake) Pull(ctx context.Context, name string) error {
	f, n, err := understood(in.core.Feed(ctx, name))
	if err != nil {
		return err
	}
	if _, pulls := n.(rail.Puller); !pulls || f.API == "" || in.get == nil {
		return payment.Fail(payment.CodeInvalidRequest, "the feed has no list of transactions to pull")
	}
	return in.pull(ctx, f)
}

// pull reads a feed's list to its end and takes every credit in, then records
// until when everything was seen. A failure is recorded with how far it came.
func (in *Intake) pull(ctx context.Context, f payment.Feed) (err error) {
	start := in.clock.Now()
	defer func() { in.count("bank_pull", err, in.clock.Now().Sub(start)) }()
	_, credentials, err := in.core.FeedSecrets(f)
	if err != nil {
		return err
	}
	s := in.sweep(f)
	done, err := in.read(ctx, f, credentials, &s)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		if failed := in.core.RecordPull(ctx, f.Name, f.SeenUntil, s.cursor(), truncate(err.Error(), maxMemo)); failed != nil {
			in.log.Error("bank feed's pull not recorded", "feed", f.Name, "error", failed.Error())
		}
		return err
	case !done:
		return in.core.RecordPull(ctx, f.Name, f.SeenUntil, s.cursor(), "")
	}
	if s.Deep {
		in.mu.Lock()
		in.state(f.Name).deep = start
		in.mu.Unlock()
	}
	return in.core.RecordPull(ctx, f.Name, time.UnixMilli(s.Asked).UTC(), "", "")
}

// sweep goes on with the interrupted one, or begins another.
func (in *Intake) sweep(f payment.Feed) sweep {
	var s sweep
	if json.Unmarshal([]byte(f.Cursor), &s) == nil && s.Asked > 0 && s.At != "" {
		return s
	}
	now := in.clock.Now()
	in.mu.Lock()
	deep := now.Sub(in.state(f.Name).deep) >= time.Hour
	in.mu.Unlock()
	since := f.SeenUntil.Add(-Overlap)
	if deep {
		since = f.SeenUntil.Add(-DeepOverlap)
	}
	if f.SeenUntil.IsZero() {
		since = now.Add(-FirstPull)
	}
	// What was on the account before is not for us. The provider's clock and
	// ours may differ.
	if born := f.CreatedAt.Add(-Window); since.Before(born) {
		since = born
	}
	return sweep{Asked: now.UnixMilli(), Since: since.UnixMilli(), Deep: deep}
}

// cursor keeps a sweep that has passed its first page.
func (s sweep) cursor() string {
	if s.At == "" {
		return ""
	}
	// The marshalling of numbers and text does not fail.
	b, _ := json.Marshal(s)
	return string(b)
}

// read reads pages until the end, or until there were enough for one go. A
// credit that cannot be taken in does not stop those behind it, but makes the
// sweep fail and begin anew.
func (in *Intake) read(ctx context.Context, f payment.Feed, credentials string, s *sweep) (done bool, err error) {
	puller := notifiers[f.Kind].(rail.Puller)
	var notTaken error
	for page := range maxPages {
		if page > 0 {
			if err := clock.Sleep(ctx, in.clock, pagePause); err != nil {
				return false, err
			}
		}
		p, err := puller.Pull(ctx, in.get, rail.Query{
			API: credentials, Cursor: s.At,
			Since: time.UnixMilli(s.Since).UTC(), Until: time.UnixMilli(s.Asked).UTC(),
		})
		if err == nil {
			err = in.takePage(ctx, f, p.Parsed, &notTaken)
		}
		if err != nil {
			s.restart(notTaken)
			return false, err
		}
		if !p.More {
			s.restart(notTaken)
			return notTaken == nil, notTaken
		}
		s.At = p.Cursor
	}
	s.restart(notTaken)
	return false, notTaken
}

// restart forgets how far the sweep came when a credit was left behind.
func (s *sweep) restart(notTaken error) {
	if notTaken != nil {
		s.At = ""
	}
}

// takePage takes a page's credits in. The error is for a busy database; what
// is wrong with a credit itself goes to notTaken.
func (in *Intake) takePage(ctx context.Context, f payment.Feed, p rail.Parsed, notTaken *error) error {
	for chunk := range slices.Chunk(p.Credits, takeAtOnce) {
		_, err := in.take(ctx, f, "", chunk)
		switch {
		case err == nil:
		case payment.CodeOf(err) == payment.CodeBusy || ctx.Err() != nil:
			return err
		case *notTaken == nil:
			*notTaken = fmt.Errorf("a credit was not taken in: %w", err)
		}
	}
	for _, row := range p.Refused {
		if err := in.keepRefused(ctx, f, row); err != nil {
			return err
		}
	}
	return nil
}

// keepRefused keeps a row that cannot be read for people, as a failed message.
// Pulls overlap, so it may come again.
func (in *Intake) keepRefused(ctx context.Context, f payment.Feed, r rail.Refused) error {
	key := sha256.Sum256(append([]byte(f.Name+"\x00"), r.Row...))
	in.mu.Lock()
	known := in.refused[key]
	in.mu.Unlock()
	if known {
		return nil
	}
	in.log.Error("pulled transaction cannot be read; it is kept", "feed", f.Name, "why", r.Reason)
	id, err := in.core.KeepMessage(ctx, f.Name, hide(r.Row))
	if err != nil {
		return err
	}
	if err := in.core.FailMessage(ctx, id, truncate(r.Reason, maxMemo)); err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.refused) >= maxRefused {
		clear(in.refused)
	}
	in.refused[key] = true
	return nil
}
