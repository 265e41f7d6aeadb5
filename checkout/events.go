package checkout

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/clock"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/payment"
)

const (
	// heartbeat keeps proxies from taking a silent stream for a dead one.
	heartbeat = 15 * time.Second
	// writeLimit is how long one message may take to be written; then the
	// reader is gone. It is twice the heartbeat.
	writeLimit = 30 * time.Second
)

// update is one message of the live status. The script puts HTML in the place
// of the page's content; it is "" when the page shows that version already.
type update struct {
	Version string `json:"version"`
	Title   string `json:"title"`
	Say     string `json:"say"` // for screen readers
	Closed  bool   `json:"closed"`
	HTML    string `json:"html"`
}

// events is the live status as server-sent events: the content of the page now
// and after every change, until the payment has closed. Of the version that the
// page shows already, seen= in the query or the Last-Event-ID with which a
// browser takes a lost stream up again, no content is sent.
func (h *Handler) events(w http.ResponseWriter, r *http.Request) {
	page, ok := h.find(w, r, r.URL.Query().Get("key"))
	if !ok {
		return
	}
	s, err := openStream(w)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.set.Protect(w.Header())
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold messages back
	if r.Method == http.MethodHead {
		return
	}
	if err := h.follow(r, s, page); err != nil && r.Context().Err() == nil {
		h.log.WarnContext(r.Context(), "live status", "error", err, "request_id", httpx.RequestIDFrom(r.Context()))
	}
}

// follow sends what happens to the payment until it has closed, the reader has
// gone, or the server stops.
func (h *Handler) follow(r *http.Request, s *stream, page core.Page) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	seen := r.URL.Query().Get("seen")
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		seen = id
	}
	changes := h.core.Watch(ctx, page.Payment.ID)
	beat := h.clock.After(heartbeat)
	if err := s.send("retry: 2000\n\n"); err != nil {
		return err
	}
	for {
		select {
		case p, ok := <-changes:
			if !ok {
				return nil
			}
			u, err := h.update(r, p, seen)
			if err == nil {
				err = s.tell(u)
			}
			if err != nil || u.Closed {
				return err
			}
			seen = u.Version
		case <-beat:
			beat = h.clock.After(heartbeat)
			if err := s.send(": still here\n\n"); err != nil {
				return err
			}
		case <-httpx.Draining(ctx):
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// update is the message about p for a page that shows the version seen. The page
// is asked for again because where the payer returns to has changed too.
func (h *Handler) update(r *http.Request, p payment.Payment, seen string) (update, error) {
	page, err := h.core.FindPage(r.Context(), r.PathValue("mid"), r.PathValue("reference"), r.URL.Query().Get("key"))
	if err != nil {
		return update{}, err
	}
	if page.Payment.Version < p.Version {
		page.Payment = p
	}
	view, err := h.view(r.Context(), page, wish(r, page.Payment))
	if err != nil {
		return update{}, err
	}
	u := update{Version: strconv.FormatInt(view.Version, 10), Title: view.Head.Title, Say: view.Say, Closed: view.Closed}
	if u.Version == seen {
		return u, nil
	}
	html, err := h.set.Fragment(view.Lang, "content", view)
	u.HTML = string(html)
	return u, err
}

// stream writes an answer that stays open.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// openStream lifts the server's limits, which are made for short answers, from
// this one; send has a limit of its own.
func openStream(w http.ResponseWriter) (*stream, error) {
	if err := httpx.LongLived(w); err != nil {
		return nil, fmt.Errorf("checkout: the server cannot stream: %w", err)
	}
	return &stream{w: w, control: http.NewResponseController(w)}, nil
}

// tell sends a message under its version.
func (s *stream) tell(u update) error {
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false) // it is no HTML until the script says so
	if err := enc.Encode(u); err != nil {
		return err
	}
	return s.send("id: " + u.Version + "\ndata: " + data.String() + "\n") // JSON has no line breaks but the encoder's last
}

func (s *stream) send(text string) error {
	// A socket's deadline is the machine's time, not the gateway's, which the
	// sandbox moves.
	if err := s.control.SetWriteDeadline(clock.System().Now().Add(writeLimit)); err != nil {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
