package core

import "github.com/thungan/thungan/money"

// Hearing is what came of asking an acquirer at a person's wish.
type Hearing struct {
	Asked bool // false when it could not be asked; Fault says why
	// Outcome is what it said: "done", "failed", "pending" or "unknown"; ""
	// when nothing was learned.
	Outcome    string
	ExternalID string
	Amount     money.VND // đồng; 0 when it did not say
	Code       string    // the acquirer's
	Text       string    // what the code means
	Fault      string    // why nothing was learned, or why what was learned was not taken in
}
