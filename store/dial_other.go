//go:build !linux

package store

import (
	"syscall"
	"time"
)

// unanswered is Linux's; elsewhere the system's own limit holds.
func unanswered(time.Duration) func(network, address string, raw syscall.RawConn) error { return nil }
