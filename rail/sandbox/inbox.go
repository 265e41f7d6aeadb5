package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/thungan/thungan/internal/auth"
	"github.com/thungan/thungan/internal/httpx"
	"github.com/thungan/thungan/payment"
)

const (
	inboxPath     = "/sandbox/ipn/"
	inboxMerchant = "demo"          // where the demo merchant is told
	inboxPlatform = "demo-platform" // where the demo platform is told

	keptPerInbox = 100
	keptInboxes  = 64 // the longest unused one goes first
)

// What a notification said in its secret-key header.
const (
	secretRight  = "right"
	secretWrong  = "wrong"
	secretAbsent = "absent" // Paykit never sends it over http
)

// received is one notification as the shop got it.
type received struct {
	At        time.Time         `json:"at"`
	Headers   map[string]string `json:"headers"` // by lower-case name; several values are joined by ", "
	Body      string            `json:"body"`
	SecretKey string            `json:"secret_key"` // "right", "wrong" or "absent"
	Status    int               `json:"status"`     // what it was answered with
	// Asked is what the gateway said when the demo shop asked it, by
	// retrieve-payment, as receivers of a bodiless notification have to; null
	// in other inboxes.
	Asked *delivery `json:"asked"`
}

// inboxes keeps notifications in memory. The zero value is empty.
type inboxes struct {
	mu     sync.Mutex
	byName map[string]*inbox
	uses   int64
}

type inbox struct {
	status int // what notifications are answered with
	kept   []received
	used   int64
}

// open finds an inbox or makes it; the caller holds the lock.
func (all *inboxes) open(name string) *inbox {
	if all.byName == nil {
		all.byName = map[string]*inbox{}
	}
	all.uses++
	in, ok := all.byName[name]
	if !ok {
		if len(all.byName) >= keptInboxes {
			all.dropOldest()
		}
		in = &inbox{status: http.StatusOK}
		all.byName[name] = in
	}
	in.used = all.uses
	return in
}

func (all *inboxes) dropOldest() {
	oldest := ""
	for name, in := range all.byName {
		if oldest == "" || in.used < all.byName[oldest].used {
			oldest = name
		}
	}
	delete(all.byName, oldest)
}

func (all *inboxes) status(name string) int {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.open(name).status
}

func (all *inboxes) setStatus(name string, status int) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.open(name).status = status
}

func (all *inboxes) add(name string, r received) {
	all.mu.Lock()
	defer all.mu.Unlock()
	in := all.open(name)
	in.kept = append(in.kept, r)
	if over := len(in.kept) - keptPerInbox; over > 0 {
		in.kept = slices.Delete(in.kept, 0, over)
	}
}

// list returns an inbox's notifications, newest first, and its status.
func (all *inboxes) list(name string) ([]received, int) {
	all.mu.Lock()
	defer all.mu.Unlock()
	in, ok := all.byName[name]
	if !ok {
		return []received{}, http.StatusOK
	}
	kept := append([]received{}, in.kept...)
	slices.Reverse(kept)
	return kept, in.status
}

var inboxName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// inboxOf is the name in the path, or a failure.
func inboxOf(r *http.Request) (string, error) {
	name := r.PathValue("inbox")
	if !inboxName.MatchString(name) {
		return "", &failure{status: http.StatusNotFound, code: payment.CodeNotFound, message: "an inbox is named by 1 to 64 letters, digits, dots, dashes and underscores"}
	}
	return name, nil
}

// receive answers POST /sandbox/ipn/{inbox}, what a shop's server does on a
// notification: it keeps it, asks the gateway back where it is a demo shop, and
// answers with the inbox's status, or with the one of ?fail=.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request) {
	name, err := inboxOf(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	status := h.inboxes.status(name)
	if text := r.URL.Query().Get("fail"); text != "" {
		if status, err = readStatus(text); err != nil {
			h.fail(w, r, wrong("fail", err.Error()))
			return
		}
	}
	body, err := httpx.ReadBody(w, r, maxBody)
	if err != nil {
		refuse(w, &failure{status: http.StatusRequestEntityTooLarge, code: payment.CodeInvalidRequest, message: "the body is too long, or did not come whole"})
		return
	}
	got := received{At: h.Clock.Now(), Headers: headers(r), Body: strings.ToValidUTF8(string(body), "\ufffd"), Status: status}
	if got.SecretKey, err = h.checkSecret(r); err != nil {
		h.fail(w, r, err)
		return
	}
	if status/100 == 2 && (name == inboxMerchant || name == inboxPlatform) {
		ctx, cancel := detached()
		got.Asked = h.ask(ctx, body)
		cancel()
	}
	h.inboxes.add(name, got)
	if status/100 != 2 {
		answer(w, status, map[string]any{"received": false})
		return
	}
	// Paykit wants a status, AppotaPay this word too.
	answer(w, status, map[string]any{"received": true, "status": "ok"})
}

func headers(r *http.Request) map[string]string {
	all := map[string]string{"host": r.Host}
	for name, values := range r.Header {
		all[strings.ToLower(name)] = strings.ToValidUTF8(strings.Join(values, ", "), "\ufffd")
	}
	return all
}

var errStatus = errors.New("has to be a status from 200 to 599")

func readStatus(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 200 || n > 599 {
		return 0, errStatus
	}
	return n, nil
}

// checkSecret compares the secret-key header with the IPN secrets of the demo
// merchant and the demo platform, as they are now.
func (h *Handler) checkSecret(r *http.Request) (string, error) {
	sent := r.Header.Values("secret-key")
	if len(sent) == 0 {
		return secretAbsent, nil
	}
	for _, owner := range []string{h.Info.Paykit.MerchantID, h.Info.Paykit.Platform.PlatformID} {
		secret, err := h.Core.NotifySecret(r.Context(), owner, paykit)
		if err != nil {
			return "", err
		}
		if len(sent) == 1 && secret != "" && auth.SameString(sent[0], secret) {
			return secretRight, nil
		}
	}
	return secretWrong, nil
}

// told is what a notification names, in its full form and in the one of ids.
type told struct {
	MID       string `json:"mid"`
	PaymentID string `json:"payment_id"`
	Payment   struct {
		ID string `json:"id"`
	} `json:"payment"`
}

func readTold(body []byte) told {
	var n told
	// What is no notification names nothing.
	if json.Unmarshal(body, &n) != nil {
		return told{}
	}
	if n.PaymentID == "" {
		n.PaymentID = n.Payment.ID
	}
	return n
}

// ask is what a shop does before it believes a notification: it asks the
// gateway for the payment, by the real API. nil when the notification names no
// payment of the demo merchants.
func (h *Handler) ask(ctx context.Context, body []byte) *delivery {
	n := readTold(body)
	keys := h.keysOf(n.MID)
	if n.PaymentID == "" || keys == nil {
		return nil
	}
	question, err := json.Marshal(map[string]string{"payment_id": n.PaymentID})
	if err != nil {
		return nil
	}
	got, err := call(ctx, h.Gateway, h.Info.Paykit.BaseURL+"/retrieve-payment", keys, question)
	if err != nil {
		h.Log.ErrorContext(ctx, "sandbox: ask for the payment", "error", err.Error())
		return nil
	}
	return &delivery{got.Status, bytes.Clone(got.JSON())}
}

// keysOf is the headers that a demo merchant calls the Paykit API with.
func (h *Handler) keysOf(mid string) http.Header {
	p := h.Info.Paykit
	header := http.Header{}
	switch mid {
	case p.MID:
		header.Set("api-key", p.APIKey)
		header.Set("secret-key", p.SecretKey)
	case p.Platform.MID:
		header.Set("mid", mid)
		header.Set("merchant-api-key", p.Platform.MerchantAPIKey)
		header.Set("merchant-secret-key", p.Platform.MerchantSecretKey)
		header.Set("platform-api-key", p.Platform.PlatformAPIKey)
		header.Set("platform-secret-key", p.Platform.PlatformSecretKey)
	default:
		return nil
	}
	return header
}

// inboxView is what an inbox holds.
type inboxView struct {
	Inbox    string     `json:"inbox"`
	Status   int        `json:"status"`   // what notifications are answered with
	Received []received `json:"received"` // newest first, at most 100
}

func (h *Handler) listInbox(w http.ResponseWriter, r *http.Request) {
	name, err := inboxOf(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	view := inboxView{Inbox: name}
	view.Received, view.Status = h.inboxes.list(name)
	answer(w, http.StatusOK, view)
}

// setInbox answers PUT {"status": 500}: from now on the inbox answers so, as a
// broken receiver would.
func (h *Handler) setInbox(w http.ResponseWriter, r *http.Request) {
	name, err := inboxOf(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	in, err := readInput(w, r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if !in.has("status") {
		in.complain("status", "is missing")
	}
	status := in.number("status", 200, 599)
	if err := in.err(); err != nil {
		h.fail(w, r, err)
		return
	}
	h.inboxes.setStatus(name, status)
	h.listInbox(w, r)
}
