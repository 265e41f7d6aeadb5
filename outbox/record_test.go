package outbox

import (
	"context"
	"testing"

	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store"
	"github.com/thungan/thungan/store/storetest"
)

// An attempt whose recording may have come through is recorded again as it was,
// which counts it once; it is not taken for one that the database refuses.
func TestUncertainRecordingPasses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		begun, release := make(chan struct{}), make(chan struct{})
		answer := make(chan error, 1)
		go func() {
			answer <- s.Group(ctx, func(*store.Tx) error { close(begun); <-release; return nil })
		}()
		<-begun
		cancel()
		err := <-answer
		close(release)
		if payment.CodeOf(err) != payment.CodeInternal || !passing(err) {
			t.Errorf("%v", err)
		}
		if refused := payment.Fail(payment.CodeInternal, "no such column"); passing(refused) {
			t.Errorf("%v", refused)
		}
	})
}
