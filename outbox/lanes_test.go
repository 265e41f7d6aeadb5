package outbox

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/thungan/thungan/store"
	"pgregory.net/rapid"
)

var moment = time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)

func small() lanes {
	return newLanes(Limits{Running: 100, Waiting: 200, PerLane: 12}.orDefaults())
}

// fill joins n items of payments of their own to a lane and says how many had
// room.
func fill(ls *lanes, lane string, n int) (joined int) {
	for i := range n {
		if _, ok := ls.join(&store.Item{ID: fmt.Sprint(lane, i), Lane: lane, PaymentID: fmt.Sprint(i)}, moment); ok {
			joined++
		}
	}
	return joined
}

// run takes all that may run.
func run(ls *lanes) (items []*store.Item) {
	for i := ls.next(moment); i != nil; i = ls.next(moment) {
		items = append(items, i)
	}
	return items
}

// teach gives a lane a health by attempts that end so.
func teach(ls *lanes, lane string, n news, took time.Duration) {
	for range failingAfter {
		fill(ls, lane, 1)
		for _, i := range run(ls) {
			ls.left(i, n, took, moment)
		}
	}
}

func TestLanesByHealth(t *testing.T) {
	for _, tc := range []struct {
		name   string
		news   news
		took   time.Duration
		health health
		most   int
	}{
		{"untried", nothing, 0, untried, 4},
		{"working", good, time.Millisecond, working, 12},
		{"slow", good, 3 * time.Second, slow, 9}, // an eighth of what lanes that do not work may have
		{"failing", bad, time.Millisecond, failing, 2},
	} {
		ls := small()
		teach(&ls, "a", tc.news, tc.took)
		if h := ls.by["a"].health; h != tc.health {
			t.Errorf("%s: health %d", tc.name, h)
		}
		ls.by["a"].took = 0 // only the limits of places are asked for here
		fill(&ls, "a", 12)
		if got := len(run(&ls)); got != tc.most {
			t.Errorf("%s: %d at once, want %d", tc.name, got, tc.most)
		}
	}
}

func TestLaneFailsAndRecovers(t *testing.T) {
	ls := small()
	want := []health{untried, untried, failing, failing, working, working, working, failing, failing}
	for n, step := range []news{bad, bad, bad, nothing, good, bad, bad, bad, nothing} {
		fill(&ls, "a", 1)
		ls.left(ls.next(moment), step, time.Millisecond, moment)
		if got := ls.by["a"].health; got != want[n] {
			t.Errorf("after step %d: health %d, want %d", n, got, want[n])
		}
	}
}

func TestCrowdLeavesPlaces(t *testing.T) {
	for name, h := range map[string]struct {
		news news
		took time.Duration
	}{"untried": {nothing, 0}, "working": {good, 0}, "slow": {good, time.Minute}, "failing": {bad, 0}} {
		ls := newLanes(Limits{}.orDefaults())
		for n := range 90 {
			teach(&ls, fmt.Sprint("crowd", n), h.news, h.took)
			ls.by[fmt.Sprint("crowd", n)].took = 0
		}
		for n := range 90 {
			fill(&ls, fmt.Sprint("crowd", n), 300)
		}
		hanging := len(run(&ls))
		if got := fill(&ls, "new", 20); got != 20 {
			t.Errorf("%s: room for %d of the newcomer's 20 items", name, got)
		}
		if got := len(run(&ls)); got != 4 {
			t.Errorf("%s: %d attempts of the newcomer beside %d", name, got, hanging)
		}
	}
}

// Lanes that nobody knows, as many as one likes, keep out no lane that works.
func TestQuarterIsKeptForLanesThatWork(t *testing.T) {
	ls := newLanes(Limits{}.orDefaults())
	teach(&ls, "known", good, time.Millisecond)
	for n := range 5000 {
		fill(&ls, fmt.Sprint("crowd", n), 10)
	}
	if got := len(run(&ls)); got < 1500 || got > 2048*3/4 {
		t.Errorf("%d attempts of lanes that nobody knows", got)
	}
	if got := fill(&ls, "known", 50); got != 50 {
		t.Errorf("room for %d", got)
	}
	if got := len(run(&ls)); got != 50 {
		t.Errorf("%d attempts", got)
	}
}

func TestPark(t *testing.T) {
	ls := small()
	teach(&ls, "dead", bad, 10*time.Second) // two at once: 5 s for each
	var waits []time.Duration
	for n := range 40 {
		wait, ok := ls.join(&store.Item{ID: fmt.Sprint(n), Lane: "dead"}, moment)
		if !ok {
			waits = append(waits, wait)
		}
	}
	if len(waits) != 37 {
		t.Fatalf("%d of 40 have to stay away: the lane does three in a third of the lease", len(waits))
	}
	if !slices.Equal(waits[:3], []time.Duration{20 * time.Second, 25 * time.Second, 30 * time.Second}) {
		t.Errorf("the first come back after %v", waits[:3])
	}
	for _, w := range waits {
		if w < minPark || w > maxPark {
			t.Errorf("away for %v", w)
		}
	}
	// A lane without an answer yet is judged by its silence, when it is long.
	fill(&ls, "silent", 5)
	run(&ls)
	for n := range 100 {
		if wait, ok := ls.join(&store.Item{ID: fmt.Sprint(n), Lane: "silent"}, moment.Add(silentAfter)); !ok && wait != minPark {
			t.Errorf("a lane that has just begun: away for %v", wait)
		}
	}
	if wait, ok := ls.join(&store.Item{ID: "x", Lane: "silent"}, moment.Add(time.Hour)); ok || wait < maxPark/2 {
		t.Errorf("a lane that is silent for an hour: %v, %v", wait, ok)
	}
}

func TestRest(t *testing.T) {
	ls := small()
	fill(&ls, "a", 10)
	running := run(&ls)
	if got := len(ls.rest()); got != 6 {
		t.Errorf("%d at rest", got)
	}
	for _, i := range running {
		ls.left(i, good, 0, moment)
	}
	if ls.waiting != (usage{}) || ls.running != (usage{}) || ls.next(moment) != nil {
		t.Errorf("something stayed: %+v", ls)
	}
}

func TestLanesAreForgotten(t *testing.T) {
	ls := newLanes(Limits{}.orDefaults())
	for n := range 2 * maxLanes {
		fill(&ls, fmt.Sprint(n), 1)
		ls.left(ls.next(moment), good, 0, moment)
	}
	if len(ls.by) > maxLanes+1 {
		t.Errorf("%d lanes remembered", len(ls.by))
	}
}

// model checks lanes against what has happened to each item.
type model struct {
	lanes
	handed []*store.Item       // and not taken back
	joined map[string][]string // lane and payment -> ids in order
	out    map[string]bool
	count  int
}

func TestLanesKeepTheirWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{Running: rapid.IntRange(1, 30).Draw(t, "running"), Waiting: rapid.IntRange(1, 60).Draw(t, "waiting"), PerLane: rapid.IntRange(1, 9).Draw(t, "per lane")}
		m := &model{lanes: newLanes(limits.orDefaults()), joined: map[string][]string{}, out: map[string]bool{}}
		t.Repeat(map[string]func(*rapid.T){"": m.check, "join": m.doJoin, "next": m.doNext, "left": m.doLeft})
		for m.waiting.all()+m.running.all() > 0 {
			m.doNext(t)
			for len(m.handed) > 0 {
				m.end(0, good, 0)
			}
			m.check(t)
		}
		if len(m.out) != m.count {
			t.Fatalf("%d of %d items came out", len(m.out), m.count)
		}
	})
}

func (m *model) doJoin(t *rapid.T) {
	i := &store.Item{ID: fmt.Sprint(m.count), Lane: rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "lane"), PaymentID: rapid.SampledFrom([]string{"p", "q", "r", "s"}).Draw(t, "payment")}
	wait, ok := m.join(i, moment)
	if !ok {
		if wait < minPark || wait > maxPark {
			t.Fatalf("parked for %v", wait)
		}
		return
	}
	m.count++
	key := i.Lane + i.PaymentID
	m.joined[key] = append(m.joined[key], i.ID)
}

// doNext takes all that may run, and looks whether what stays behind has to.
func (m *model) doNext(t *rapid.T) {
	for {
		before := m.running
		i := m.next(moment)
		if i == nil {
			break
		}
		m.out[i.ID] = true
		m.handed = append(m.handed, i)
		key := i.Lane + i.PaymentID
		if m.joined[key][0] != i.ID {
			t.Fatalf("item %s overtook %v", i.ID, m.joined[key])
		}
		h, total := m.by[i.Lane].health, m.limits.Running
		if h != working && before[untried]+before[slow]+before[failing] >= max(total*3/4, 1) {
			t.Fatalf("a lane of health %d got a place that is kept for lanes that work: %v of %d", h, before, total)
		}
		if h == failing && before[failing] >= max(total/4, 1) {
			t.Fatalf("failing lanes got more than a quarter: %v of %d", before, total)
		}
	}
	for _, l := range m.by {
		if l.health == working && l.running == 0 && len(l.queue) > 0 && m.running.all() < m.limits.Running {
			t.Fatalf("lane %s works and has nothing under way, and %d of %d places are taken", l.name, m.running.all(), m.limits.Running)
		}
	}
}

func (m *model) doLeft(t *rapid.T) {
	if len(m.handed) == 0 {
		return
	}
	n := rapid.SampledFrom([]news{good, bad, bad, nothing}).Draw(t, "news")
	took := rapid.SampledFrom([]time.Duration{0, time.Second, slowAfter + 1}).Draw(t, "took")
	m.end(rapid.IntRange(0, len(m.handed)-1).Draw(t, "which"), n, took)
}

func (m *model) end(which int, n news, took time.Duration) {
	i := m.handed[which]
	m.handed = slices.Delete(m.handed, which, which+1)
	key := i.Lane + i.PaymentID
	m.joined[key] = m.joined[key][1:]
	m.left(i, n, took, moment)
}

// check counts everything anew.
func (m *model) check(t *rapid.T) {
	var waiting, running usage
	for _, l := range m.by {
		waiting[l.health] += len(l.queue)
		running[l.health] += l.running
		if l.running > m.limits.PerLane || l.running != len(l.paying) {
			t.Fatalf("lane %s: %d under way, of %d payments", l.name, l.running, len(l.paying))
		}
	}
	if waiting != m.waiting || running != m.running {
		t.Fatalf("waiting %v, counted %v; running %v, counted %v", m.waiting, waiting, m.running, running)
	}
	if waiting.all() > m.limits.Waiting || running.all() > m.limits.Running || running.all() != len(m.handed) {
		t.Fatalf("%d wait, %d run, %d handed out", waiting.all(), running.all(), len(m.handed))
	}
}

// A lane's pace is what it was seen to do, when that is slower than its receiver
// would allow; after a rest it has to be seen anew.
func TestPaceIsMeasured(t *testing.T) {
	ls := newLanes(Limits{}.orDefaults())
	now := moment
	for n := range 400 {
		if _, ok := ls.join(&store.Item{ID: fmt.Sprint(n), Lane: "a", PaymentID: fmt.Sprint(n)}, now); !ok {
			t.Fatalf("no room for item %d", n)
		}
	}
	l := ls.by["a"]
	running := run(&ls)
	for len(running) > 0 {
		now = now.Add(2 * time.Millisecond) // between two ends, though the receiver takes less
		ls.left(running[0], good, time.Millisecond, now)
		running = append(running[1:], run(&ls)...)
		if waits := len(l.queue); waits == 100 && l.pace(now, 64) != 2*time.Millisecond {
			t.Errorf("pace %v with %d in the queue", l.pace(now, 64), waits)
		}
	}
	if fill(&ls, "a", 1); ls.next(now) == nil || l.pace(now, 64) != gapGuess {
		t.Errorf("pace %v after a rest", l.pace(now, 64))
	}
}
