package outbox

import "github.com/thungan/thungan/store"

// health is what is known of a lane.
type health int

const (
	untried health = iota
	working        // the last attempt succeeded
	failing        // the last attempt failed
)

// Few workers go to lanes that are not known to work.
const (
	perUntried = 4
	perFailing = 2
)

// laneBacklog is how many items of one lane wait in memory; more go back to the
// database for a while, so that one lane cannot fill it.
const laneBacklog = 256

// lane is the work of one receiver.
type lane struct {
	name    string
	health  health
	queue   []store.Item
	running int
	paying  map[string]bool // payments with an attempt under way: their notices keep order
	listed  bool            // is in lanes.turn
}

// lanes share the workers out. It is used by one goroutine.
type lanes struct {
	limits  Limits
	by      map[string]*lane
	turn    []*lane // lanes with waiting items, in order of service
	waiting int
	queued  [failing + 1]int // of the waiting, by the health of their lane
	running int
	doubt   int // attempts under way in lanes not known to work
	sick    int // of these, in lanes known to fail
}

func newLanes(l Limits) lanes { return lanes{limits: l, by: map[string]*lane{}} }

// join puts an item into its lane; false when the lane is overfull.
func (ls *lanes) join(i store.Item) bool {
	l := ls.by[i.Lane]
	if l == nil {
		l = &lane{name: i.Lane, paying: map[string]bool{}}
		ls.by[i.Lane] = l
	}
	if len(l.queue) >= laneBacklog || !ls.mayWait(l.health) {
		return false
	}
	l.queue = append(l.queue, i)
	ls.waiting++
	ls.queued[l.health]++
	ls.list(l)
	return true
}

// mayWait keeps room for lanes that work: of the places to wait in, those that
// fail get a quarter, with those that nobody knows three quarters.
func (ls *lanes) mayWait(h health) bool {
	switch h {
	case failing:
		return ls.queued[failing] < max(ls.limits.Waiting/4, 1)
	case untried:
		return ls.queued[failing]+ls.queued[untried] < max(ls.limits.Waiting*3/4, 1)
	}
	return true
}

func (ls *lanes) list(l *lane) {
	if !l.listed {
		l.listed = true
		ls.turn = append(ls.turn, l)
	}
}

// next takes the next item that may be tried now, lane by lane in turn. The
// item counts as running until left.
func (ls *lanes) next() (store.Item, bool) {
	for range len(ls.turn) {
		l := ls.turn[0]
		ls.turn = ls.turn[1:]
		l.listed = false
		item, ok := ls.take(l)
		if len(l.queue) > 0 {
			ls.list(l)
		}
		if ok {
			return item, true
		}
	}
	return store.Item{}, false
}

// take takes a lane's first item whose payment has no attempt under way.
func (ls *lanes) take(l *lane) (store.Item, bool) {
	if !ls.mayRun(l) {
		return store.Item{}, false
	}
	for n, item := range l.queue {
		if l.paying[item.PaymentID] {
			continue
		}
		l.queue = append(l.queue[:n:n], l.queue[n+1:]...)
		l.paying[item.PaymentID] = true
		ls.waiting--
		ls.queued[l.health]--
		ls.count(l, 1)
		return item, true
	}
	return store.Item{}, false
}

// mayRun says whether a lane may have one more worker: all of them for lanes
// that work, three quarters for those nobody knows, a quarter for those that
// fail.
func (ls *lanes) mayRun(l *lane) bool {
	if ls.running >= ls.limits.Running {
		return false
	}
	switch l.health {
	case working:
		return l.running < ls.limits.PerLane
	case untried:
		return l.running < min(perUntried, ls.limits.PerLane) && ls.doubt < max(ls.limits.Running*3/4, 1)
	default:
		return l.running < min(perFailing, ls.limits.PerLane) && ls.sick < max(ls.limits.Running/4, 1)
	}
}

func (ls *lanes) count(l *lane, by int) {
	l.running += by
	ls.running += by
	ls.recount(l.health, by)
}

func (ls *lanes) recount(h health, by int) {
	if h != working {
		ls.doubt += by
	}
	if h == failing {
		ls.sick += by
	}
}

// left takes back a worker; ok says whether the attempt succeeded.
func (ls *lanes) left(i store.Item, ok bool) {
	l := ls.by[i.Lane]
	delete(l.paying, i.PaymentID)
	ls.count(l, -1)
	next := failing
	if ok {
		next = working
	}
	if next != l.health {
		ls.recount(l.health, -l.running)
		ls.recount(next, l.running)
		ls.queued[l.health] -= len(l.queue)
		ls.queued[next] += len(l.queue)
		l.health = next
	}
	if l.running == 0 && len(l.queue) == 0 && len(ls.by) > maxLanes {
		delete(ls.by, l.name)
	}
}

// maxLanes is how many receivers' health is remembered.
const maxLanes = 10_000

// rest returns all that waits and forgets it.
func (ls *lanes) rest() []store.Item {
	var items []store.Item
	for _, l := range ls.by {
		items = append(items, l.queue...)
		l.queue = nil
	}
	ls.waiting, ls.turn, ls.queued = 0, nil, [failing + 1]int{}
	return items
}
