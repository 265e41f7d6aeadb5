package main

import (
	"time"

	"github.com/thungan/thungan/internal/clock"
)

// tikiOptions are what serve and dev set differently of the Tini App protocol.
type tikiOptions struct {
	// realTime is a second clock that callers' timestamps may go by: the
	// sandbox's own is moved without their knowing. Nil is none.
	realTime     clock.Clock
	signatureAge time.Duration // how old a signature may be; 0 is the protocol's own
}

// ipnTimeout is how long a receiver of notifications may take: Tiki's are told
// that they have 15 seconds, and no other protocol says less.
const ipnTimeout = 15 * time.Second

// ipnAnswer is how many bytes of a receiver's answer a protocol looks at for an
// acknowledgement; fewer are kept.
const ipnAnswer = 16 << 10
