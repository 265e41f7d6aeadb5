package sim

import (
	"errors"
	"fmt"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/test/diskfault"
	sqlite3 "modernc.org/sqlite/lib"
)

// errGone is what a caller sees of a gateway that died: no answer.
var errGone = errors.New("no answer: the gateway has died")

// mishap is what goes wrong with the store, or the whole gateway, while it
// serves one request.
type mishap struct {
	name  string
	fault diskfault.Fault
	after bool // it dies when all is done, before it answers
}

// mishaps are those that there are; n is which operation of the request they
// strike at the most.
var mishaps = []struct {
	mishap
	n int
}{
	{mishap{name: "no transaction begins", fault: diskfault.Fault{Ops: diskfault.Begin, Code: sqlite3.SQLITE_IOERR_SHMLOCK}}, 3},
	{mishap{name: "a read fails", fault: diskfault.Fault{Ops: diskfault.Read, Code: sqlite3.SQLITE_IOERR_READ}}, 40},
	{mishap{name: "a write fails", fault: diskfault.Fault{Ops: diskfault.Write, Code: sqlite3.SQLITE_IOERR_WRITE}}, 16},
	{mishap{name: "half of a write fails", fault: diskfault.Fault{Ops: diskfault.Write, Code: sqlite3.SQLITE_FULL, Torn: true}}, 16},
	{mishap{name: "a sync fails", fault: diskfault.Fault{Ops: diskfault.Sync}}, 3},
	{mishap{name: "a commit's answer is lost", fault: diskfault.Fault{Ops: diskfault.Commit, Code: sqlite3.SQLITE_IOERR}}, 3},
	{mishap{name: "a transaction loses to another", fault: diskfault.Fault{Ops: diskfault.Write, Code: sqlite3.SQLITE_BUSY_SNAPSHOT}}, 3},
	{mishap{name: "the gateway dies before it answers", after: true}, 1},
}

// deadly is how many of the faults end the gateway.
const deadly = 0.2

// ask makes one request of the gateway, while its store may fail and it may
// die. What the world has to say in between is not part of that: looks of the
// model at the gateway always succeed.
func (w *world) ask(do func() error) error {
	if w.loses > 0 && w.chance(w.loses) {
		return w.forget(do)
	}
	return w.risk(w.faults, do)
}

// idle is ask for what a worker does all day, mostly for nothing.
func (w *world) idle(do func() error) error { return w.risk(w.faults/30, do) }

func (w *world) risk(p float64, do func() error) error {
	if !w.chance(p) {
		return do()
	}
	m := mishaps[w.dice.IntN(len(mishaps))]
	if m.after && !w.chance(deadly) {
		return do()
	}
	m.fault.N = 1 + w.dice.IntN(m.n)
	m.fault.Dead = m.fault.Code != sqlite3.SQLITE_BUSY_SNAPSHOT && w.chance(deadly)
	if m.after {
		err := do()
		w.struck[m.name]++
		w.die()
		return errors.Join(errGone, err)
	}
	if m.fault.Ops == diskfault.Read {
		w.disk.Forget() // else there is nothing to be read
	}
	w.disk.Arm(m.fault)
	err := do()
	if w.disk.Dead() {
		w.struck[m.name+", and the gateway dies"]++
		w.die()
		return errors.Join(errGone, err)
	}
	if w.disk.Heal() > 0 {
		w.struck[m.name]++
	}
	if w.planted != nil {
		err = w.planted(err)
	}
	return err
}

// failed says whether a request met with a failure, not an answer. Known says
// that nothing was done then; else nobody has said whether it was.
func failed(err error) (failed, known bool) {
	switch code := payment.CodeOf(err); {
	case err == nil:
		return false, false
	case errors.Is(err, errGone):
		return true, false
	default:
		return code == payment.CodeBusy || code == payment.CodeInternal, code == payment.CodeBusy
	}
}

// patience is how often a caller tries.
const patience = 4

// insist makes a request that is one deed, until there is an answer, as callers
// do who were told to come back or were told nothing; a few give up. Did looks
// whether the deed is done. Either is right when no answer came; what was seen
// then has to stay so. Answered is whether there was an answer, which is err.
func (w *world) insist(what string, do func() error, did func() bool) (done, answered bool, err error) {
	w.t.Helper()
	for range patience {
		err = w.ask(do)
		after := did()
		failure, known := failed(err)
		switch {
		case done && !after:
			w.t.Fatalf("seed %d: %s was done, and then was not", w.seed, what)
		case !failure && err == nil && !after:
			w.t.Fatalf("seed %d: %s was answered with success and not done", w.seed, what)
		case !failure && err != nil && !done && after:
			w.t.Fatalf("seed %d: %s was refused and done: %v", w.seed, what, err)
		case known && !done && after:
			w.t.Fatalf("seed %d: %s was done, and the gateway said that nothing was: %v", w.seed, what, err)
		}
		if done = after; !failure {
			return done, true, err
		}
		if w.chance(0.2) {
			break
		}
	}
	return done, false, err
}

// unanswered fails unless err is a failure of the gateway, which is told again.
func (w *world) unanswered(what string, err error) {
	w.t.Helper()
	if failure, _ := failed(err); !failure {
		w.must(fmt.Errorf("%s: %w", what, err))
	}
}
