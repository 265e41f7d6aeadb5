package sandbox

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/thungan/thungan/internal/clock"
)

// clockView is the gateway's time and its distance from real time.
type clockView struct {
	Now      time.Time `json:"now"`
	Offset   string    `json:"offset"`
	Advanced string    `json:"advanced,omitempty"` // by this call
}

func (h *Handler) readClock(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, clockView{Now: h.Clock.Now(), Offset: h.Clock.Offset().String()})
}

// moveClock answers POST /sandbox/clock {"advance": "31m"}.
func (h *Handler) moveClock(w http.ResponseWriter, r *http.Request) {
	in, err := readInput(w, r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	text := in.needed("advance", 64)
	if err := in.err(); err != nil {
		h.fail(w, r, err)
		return
	}
	d, err := parseSpan(text)
	if err != nil {
		h.fail(w, r, wrong("advance", err.Error()))
		return
	}
	if err := h.advance(d); err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, clockView{Now: h.Clock.Now(), Offset: h.Clock.Offset().String(), Advanced: d.String()})
}

// advance moves time. When it returns, what fell due meanwhile has expired;
// workers that sleep on the clock have been woken.
func (h *Handler) advance(d time.Duration) error {
	h.clockMu.Lock()
	defer h.clockMu.Unlock()
	err := h.Clock.Advance(d)
	switch {
	case errors.Is(err, clock.ErrBackward):
		return wrong("advance", "has to be above zero: time only moves forward")
	case errors.Is(err, clock.ErrTooFar):
		return wrong("advance", "is too far: at most "+strconv.Itoa(int(clock.MaxOffset.Hours()/24))+" days ahead of real time")
	case err != nil:
		return err
	}
	if err := h.SaveOffset(h.Clock.Offset()); err != nil {
		return err
	}
	ctx, cancel := detached()
	defer cancel()
	_, err = h.Core.ExpireDue(ctx)
	return err
}

var errSpan = errors.New("has to be a span of time such as 31m, 2h30m, 1d or 2d3h")

// parseSpan reads a span of time as Go writes it ("1h30m"), and days before
// that ("2d3h").
func parseSpan(s string) (time.Duration, error) {
	const day = 24 * time.Hour
	days, rest, found := strings.Cut(s, "d")
	if !found {
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, errSpan
		}
		return d, nil
	}
	n, err := strconv.ParseUint(days, 10, 31)
	if err != nil || n > uint64(math.MaxInt64/day) {
		return 0, errSpan
	}
	d := time.Duration(n) * day
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || rest[0] == '+' || d > math.MaxInt64-more {
		return 0, errSpan
	}
	return d + more, nil
}
