package outbox

import (
	"math/rand/v2"
	"time"

	"github.com/thungan/thungan/store"
)

// health is what is known of a lane.
type health int

const (
	untried health = iota
	working        // the last attempt succeeded, in good time
	slow           // it succeeded, but took long
	failing        // several attempts in a row have failed
	healths        // how many there are
)

const (
	slowAfter    = 2 * time.Second
	silentAfter  = 5 * time.Second // before that, it may be this machine that is slow
	failingAfter = 3               // failures in a row

	// maxLanes is how many receivers' health is remembered.
	maxLanes = 10_000

	// An item of an overfull lane stays away from memory for so long.
	minPark = 100 * time.Millisecond
	maxPark = time.Minute
)

// most is how many attempts a lane of each health may have under way.
func (l Limits) most(h health) int {
	return min(l.PerLane, [healths]int{untried: 4, working: l.PerLane, slow: 16, failing: 2}[h])
}

// usage counts places that are taken, by the health of the lanes that have them.
type usage [healths]int

func (u usage) all() int { return u[untried] + u[working] + u[slow] + u[failing] }

// left is how many of total places lanes of a health may still take. A quarter
// of all is kept for lanes that work; lanes that fail get no more than a
// quarter.
func (u usage) left(total int, h health) int {
	free := total - u.all()
	if h == working {
		return free
	}
	free = min(free, max(total*3/4, 1)-u[untried]-u[slow]-u[failing])
	if h == failing {
		free = min(free, max(total/4, 1)-u[failing])
	}
	return free
}

// mayTake says whether somebody who has some places may have one more when so
// many are left: up to an eighth of those. The more compete, the less each
// gets, and there is always a place left for one who has none yet: not even a
// crowd that hangs all at once can take everything.
func mayTake(has, left int) bool { return left > 0 && 8*has < left }

// lane is the work of one receiver.
type lane struct {
	name     string
	health   health
	failures int // in a row
	queue    []*store.Item
	running  int
	paying   map[string]bool // subjects with an attempt under way: their notices keep order
	listed   bool            // is in lanes.turn

	took   time.Duration // by the last attempt
	heard  time.Time     // when the last attempt ended, or when the lane was first asked after a rest
	gap    time.Duration // between two ends of attempts, while items waited; 0 when that is not known
	since  time.Time     // an end from which on items have waited, zero when none wait
	ended  int           // attempts since then
	parked time.Time     // when the last of the items that were sent away is expected back
}

// pace is how long one item takes, as far as is known; a receiver that has been
// silent for long takes at least as long as that.
func (l *lane) pace(now time.Time, workers int) time.Duration {
	took := l.took
	if silent := now.Sub(l.heard); l.running > 0 && silent > silentAfter {
		took = max(took, silent)
	}
	if l.gap > 0 {
		return max(took/time.Duration(workers), l.gap)
	}
	return max(took/time.Duration(workers), gapGuess)
}

// gapGuess is the gap of a lane of which it is not known.
const gapGuess = 250 * time.Microsecond

// The gap between two ends is measured over so long and so many at least.
const (
	gapSpan = 100 * time.Millisecond
	gapEnds = 16
)

// end counts the end of an attempt. What a lane can do is not only up to its
// receiver: this machine may be what is slow, or busy with other lanes.
func (l *lane) end(now time.Time) {
	switch {
	case len(l.queue) == 0:
		l.since = time.Time{}
		return
	case l.since.IsZero():
		l.since, l.ended = now, 0
		return
	}
	l.ended++
	if span := now.Sub(l.since); span >= gapSpan && l.ended >= gapEnds {
		l.gap = span / time.Duration(l.ended)
		l.since, l.ended = now, 0
	}
}

// lanes share the places out, in memory and at work. It is used by one
// goroutine. Its now is the machine's clock: it measures spans only.
type lanes struct {
	limits  Limits
	by      map[string]*lane
	turn    []*lane // lanes with waiting items, in order of service
	waiting usage
	running usage
}

func newLanes(l Limits) lanes { return lanes{limits: l, by: map[string]*lane{}} }

// join puts an item into its lane. An item that the lane has no room for, or
// would not come to before the lease is half over, has to stay away for park.
func (ls *lanes) join(i *store.Item, now time.Time) (park time.Duration, ok bool) {
	l := ls.by[i.Lane]
	if l == nil {
		l = &lane{name: i.Lane, paying: map[string]bool{}}
		ls.by[i.Lane] = l
	}
	pace := l.pace(now, ls.limits.most(l.health))
	behind := time.Duration(len(l.queue)) * pace
	if behind > ls.limits.Lease/3 || !mayTake(len(l.queue), ls.waiting.left(ls.limits.Waiting, l.health)) {
		return l.park(now, behind, pace), false
	}
	l.queue = append(l.queue, i)
	ls.waiting[l.health]++
	ls.list(l)
	return 0, true
}

// park says how long an item has to stay away: until those before it will be
// done, those that were sent away included.
func (l *lane) park(now time.Time, behind, pace time.Duration) time.Duration {
	back := now.Add(behind)
	if l.parked.After(back) {
		back = l.parked
	}
	wait := back.Add(pace).Sub(now)
	if wait >= maxPark {
		wait = maxPark/2 + rand.N(maxPark/2) // not all at once
	}
	l.parked = now.Add(wait)
	return max(wait, minPark)
}

func (ls *lanes) list(l *lane) {
	if !l.listed {
		l.listed = true
		ls.turn = append(ls.turn, l)
	}
}

// next takes the next item that may be tried now, lane by lane in turn, or
// returns nil. The item counts as running until left.
func (ls *lanes) next(now time.Time) *store.Item {
	for range len(ls.turn) {
		l := ls.turn[0]
		ls.turn = ls.turn[1:]
		l.listed = false
		item := ls.take(l, now)
		if len(l.queue) > 0 {
			ls.list(l)
		}
		if item != nil {
			return item
		}
	}
	return nil
}

// take takes a lane's first item whose payment has no attempt under way.
func (ls *lanes) take(l *lane, now time.Time) *store.Item {
	if l.running >= ls.limits.most(l.health) || !mayTake(l.running, ls.running.left(ls.limits.Running, l.health)) {
		return nil
	}
	for n, item := range l.queue {
		if l.paying[item.Subject()] {
			continue
		}
		l.queue = drop(l.queue, n)
		ls.waiting[l.health]--
		if l.running == 0 {
			l.heard, l.gap, l.since = now, 0, time.Time{}
		}
		l.paying[item.Subject()] = true
		l.running++
		ls.running[l.health]++
		return item
	}
	return nil
}

// drop removes the n-th item; the first, as nearly always, without moving the
// others.
func drop(queue []*store.Item, n int) []*store.Item {
	copy(queue[1:], queue[:n])
	queue[0] = nil
	return queue[1:]
}

// news is what an attempt has shown of a receiver.
type news int

const (
	nothing news = iota
	good
	bad
)

// left takes back a worker with the news that it brings, and how long it took.
func (ls *lanes) left(i *store.Item, n news, took time.Duration, now time.Time) {
	l := ls.by[i.Lane]
	delete(l.paying, i.Subject())
	l.running--
	ls.running[l.health]--
	if n != nothing {
		l.end(now)
		l.took, l.heard = took, now
		ls.judge(l, n)
	}
	if l.running == 0 && len(l.queue) == 0 && len(ls.by) > maxLanes {
		delete(ls.by, l.name)
	}
}

// judge gives a lane the health that news of it shows.
func (ls *lanes) judge(l *lane, n news) {
	next := l.health
	switch {
	case n == bad:
		if l.failures++; l.failures >= failingAfter {
			next = failing
		}
	case l.took > slowAfter:
		l.failures, next = 0, slow
	default:
		l.failures, next = 0, working
	}
	ls.running[l.health] -= l.running
	ls.waiting[l.health] -= len(l.queue)
	l.health = next
	ls.running[l.health] += l.running
	ls.waiting[l.health] += len(l.queue)
}

// rest returns all that waits and forgets it.
func (ls *lanes) rest() []store.Item {
	var items []store.Item
	for _, l := range ls.by {
		for _, i := range l.queue {
			items = append(items, *i)
		}
		l.queue, l.listed = nil, false
	}
	ls.waiting, ls.turn = usage{}, nil
	return items
}
